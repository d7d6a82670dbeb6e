"""Snapshots with bytes behind them, that take time to complete and stay while they are needed."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.ec2.exceptions import InvalidSnapshotInUse
from moto.ec2.models.elastic_block_store import Snapshot

from nitro.local.aws.encryption import Encryption
from nitro.local.aws.site import Site

GIB = 1024**3
NOT_ENCRYPTED = Encryption()
NO_VOLUME = "vol-ffffffff"  # what EC2 reports for a snapshot that was never a volume


class DiskSnapshot(Snapshot):  # type: ignore[misc]
    """A snapshot whose disk lies in the block store under the snapshot's id."""

    def __init__(
        self,
        backend: Any,
        snapshot_id: str,
        *,
        size_gib: int,
        description: str,
        completes_at: float = 0.0,
        started: datetime | None = None,
        encryption: Encryption = NOT_ENCRYPTED,
        volume_id: str = NO_VOLUME,
    ) -> None:
        volume = SimpleNamespace(id=volume_id, size=size_gib)
        super().__init__(backend, snapshot_id, volume, description, kms_key_id=encryption.key_arn)
        self.failure = encryption.failure  # why it does not complete
        if started:
            self.start_time = started
        self.open_for_writing = False
        self.written: set[int] = set()  # indices of the blocks that EBS direct was given
        self.parent_id: str | None = None  # the snapshot that this one began as
        self.copied = False
        self._completes_at = completes_at

    @property
    def status(self) -> str:
        if self.open_for_writing or self.ec2_backend.site.clock() < self._completes_at:
            return "pending"
        return "error" if self.failure else "completed"

    @status.setter
    def status(self, value: str) -> None:
        """moto's constructor sets a state; here it follows from the clock."""

    @property
    def state_message(self) -> str | None:
        return self.failure if self.status == "error" else None

    @property
    def encryption(self) -> Encryption:
        return Encryption(self.kms_key_id, self.failure)

    @property
    def progress(self) -> str:
        return "100%" if self.status == "completed" else "0%"

    def complete_at(self, moment: float) -> None:
        self.open_for_writing = False
        self._completes_at = moment


class SnapshotsBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    snapshots: dict[str, Any]
    amis: dict[str, Any]

    def add_snapshot(self, snapshot: DiskSnapshot) -> DiskSnapshot:
        self.snapshots[snapshot.id] = snapshot
        return snapshot

    def delete_snapshot(self, snapshot_id: str) -> Any:
        for image in self.amis.values():
            if snapshot_id in image.snapshot_ids:
                raise InvalidSnapshotInUse(snapshot_id, image.id)
        snapshot = super().delete_snapshot(snapshot_id)  # type: ignore[misc]
        self.site.store.delete(snapshot_id)
        return snapshot
