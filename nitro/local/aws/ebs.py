"""EBS direct: the bytes of snapshots in blocks of 512 KiB, read and written as EBS does.

Facts: botocore's `ebs` model and
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
Not here: parents, encryption, ListChangedBlocks, the expiry of tokens.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ebs import urls
from moto.ebs.models import EBSBackend
from moto.ebs.responses import EBSResponse
from moto.ec2.utils import random_snapshot_id

from nitro.local.aws import archive
from nitro.local.aws.snapshots import GIB, DiskSnapshot
from nitro.local.store import BLOCK_SIZE

PAGE = (100, 10_000)  # the bounds of MaxResults
TOKENS_LAST = timedelta(days=7)
MAX_VOLUME_GIB = 65_536


class _EBSError(ServiceException):  # type: ignore[misc]
    """An error of the model, with the `Reason` that the model gives it."""

    def __init__(self, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(code, message)
        self.reason = reason


def _invalid(message: str, reason: str) -> _EBSError:
    return _EBSError("ValidationException", message, reason)


class LocalEBSBackend(EBSBackend):  # type: ignore[misc]
    """One region of one account. The snapshots themselves are EC2's."""

    def __init__(self, region_name: str, account_id: str, site: Any) -> None:
        super().__init__(region_name, account_id)
        self.site = site
        self.tokens: dict[str, tuple[dict[str, Any], str]] = {}

    def reset(self) -> None:
        self.__init__(self.region_name, self.account_id, self.site)  # type: ignore[misc]

    @property
    def _url_module(self) -> Any:
        paths = dict.fromkeys(urls.url_paths, LocalEBSResponse.dispatch)
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def readable(self, snapshot_id: str) -> Any:
        snapshot = self._snapshot(snapshot_id)
        if snapshot.status != "completed":
            raise _EBSError(
                "ResourceNotFoundException", f"The snapshot '{snapshot_id}' is not completed.",
                "SNAPSHOT_NOT_FOUND",
            )  # fmt: skip
        return snapshot

    def writable(self, snapshot_id: str) -> Any:
        snapshot = self._snapshot(snapshot_id)
        if not snapshot.open_for_writing:
            raise _invalid(f"The snapshot '{snapshot_id}' is completed.", "INVALID_SNAPSHOT_STATE")
        return snapshot

    def _snapshot(self, snapshot_id: str) -> Any:
        snapshot = self.ec2_backend.snapshots.get(snapshot_id)
        if snapshot is None:
            raise _EBSError(
                "ResourceNotFoundException", f"The snapshot '{snapshot_id}' does not exist.",
                "SNAPSHOT_NOT_FOUND",
            )  # fmt: skip
        return snapshot


class LocalEBSResponse(EBSResponse):  # type: ignore[misc]
    """One request."""

    def call_action(self) -> Any:
        ec2 = self.ebs_backend.ec2_backend
        with ec2.lock:
            ec2.settle()
            try:
                return super().call_action()
            finally:
                archive.save(ec2)

    def start_snapshot(self) -> ActionResult:
        backend, ec2 = self.ebs_backend, self.ebs_backend.ec2_backend
        for name in ("ParentSnapshotId", "Encrypted", "KmsKeyArn"):
            if self._get_param(name):
                raise _invalid(f"The local Nitro has no {name}.", "UNSUPPORTED_OPERATION")
        asked = {key: str(self._get_param(key)) for key in ("VolumeSize", "Description", "Tags")}
        token = self._get_param("ClientToken")
        if token in backend.tokens:
            before, snapshot_id = backend.tokens[token]
            if before != asked:
                raise _EBSError("ConflictException", "The client token was used before.")
            return ActionResult(_described(ec2.snapshots[snapshot_id]))
        size = int(self._get_param("VolumeSize"))
        if not 1 <= size <= MAX_VOLUME_GIB:
            raise _invalid(f"VolumeSize {size} is out of range.", "INVALID_VOLUME_SIZE")
        snapshot = DiskSnapshot(
            ec2,
            random_snapshot_id(),
            size_gib=size,
            description=self._get_param("Description", ""),
        )
        snapshot.open_for_writing = True
        snapshot.add_tags({tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])})
        backend.site.store.create(snapshot.id)
        ec2.add_snapshot(snapshot)
        if token:
            backend.tokens[token] = (asked, snapshot.id)
        return ActionResult(_described(snapshot))

    def put_snapshot_block(self) -> ActionResult:
        snapshot = self.ebs_backend.writable(self._get_param("SnapshotId"))
        index = self._index(snapshot)
        block, checksum = self._get_param("BlockData"), self._get_param("Checksum")
        if len(block) != BLOCK_SIZE or int(self._get_param("DataLength")) != BLOCK_SIZE:
            raise _invalid(f"A block has {BLOCK_SIZE} bytes.", "INVALID_PARAMETER_VALUE")
        if checksum != _checksum(block):
            raise _invalid("The checksum does not match the block.", "INVALID_PARAMETER_VALUE")
        self.ebs_backend.site.store.write(snapshot.id, index, block)
        snapshot.written.add(index)
        return ActionResult({"Checksum": checksum, "ChecksumAlgorithm": "SHA256"})

    def complete_snapshot(self) -> ActionResult:
        site = self.ebs_backend.site
        snapshot = self.ebs_backend.writable(self._get_param("SnapshotId"))
        count = int(self._get_param("ChangedBlocksCount"))
        if count != len(snapshot.written):
            raise _invalid(
                f"{len(snapshot.written)} blocks were written, not {count}.",
                "INVALID_PARAMETER_VALUE",
            )
        wanted = self._get_param("Checksum")
        if wanted:
            digest = hashlib.sha256()
            for index in sorted(snapshot.written):
                digest.update(hashlib.sha256(site.store.read(snapshot.id, index)).digest())
            if wanted != base64.b64encode(digest.digest()).decode():
                raise _invalid("The aggregate checksum differs.", "INVALID_PARAMETER_VALUE")
        snapshot.complete_at(site.clock() + site.pace.complete_snapshot)
        return ActionResult({"Status": snapshot.status})

    def list_snapshot_blocks(self) -> ActionResult:
        snapshot = self.ebs_backend.readable(self._get_param("SnapshotId"))
        asked = int(self._get_param("MaxResults") or PAGE[1])
        if not PAGE[0] <= asked <= PAGE[1]:
            raise _invalid(f"MaxResults {asked} is out of range.", "INVALID_PARAMETER_VALUE")
        token = self._get_param("NextToken")
        first = (
            _page_start(snapshot, token)
            if token
            else int(self._get_param("StartingBlockIndex") or 0)
        )
        indices = [i for i in self.ebs_backend.site.store.used(snapshot.id) if i >= first]
        page, rest = indices[:asked], indices[asked:]
        return ActionResult(
            {
                "Blocks": [{"BlockIndex": i, "BlockToken": _token(snapshot, i)} for i in page],
                "ExpiryTime": utcnow() + TOKENS_LAST,
                "VolumeSize": snapshot.volume_size,
                "BlockSize": BLOCK_SIZE,
                "NextToken": f"{_token(snapshot, rest[0])}:{rest[0]}" if rest else None,
            }
        )

    def get_snapshot_block(self) -> ActionResult:
        snapshot = self.ebs_backend.readable(self._get_param("SnapshotId"))
        index = self._index(snapshot)
        if self._get_param("BlockToken") != _token(snapshot, index):
            raise _invalid("The block token is not of this block.", "INVALID_BLOCK_TOKEN")
        block = self.ebs_backend.site.store.read(snapshot.id, index)
        return ActionResult(
            {
                "DataLength": len(block),
                "BlockData": block,
                "Checksum": _checksum(block),
                "ChecksumAlgorithm": "SHA256",
            }
        )

    def list_changed_blocks(self) -> ActionResult:
        raise _invalid("The local Nitro has no ListChangedBlocks.", "UNSUPPORTED_OPERATION")

    def _index(self, snapshot: Any) -> int:
        index = int(self._get_param("BlockIndex"))
        if not 0 <= index < math.ceil(snapshot.volume_size * GIB / BLOCK_SIZE):
            raise _invalid(f"Block {index} is outside the volume.", "INVALID_PARAMETER_VALUE")
        return index


def _described(snapshot: Any) -> dict[str, Any]:
    return {
        "SnapshotId": snapshot.id,
        "OwnerId": snapshot.owner_id,
        "Status": snapshot.status,
        "StartTime": snapshot.start_time,
        "VolumeSize": snapshot.volume_size,
        "BlockSize": BLOCK_SIZE,
        "Description": snapshot.description,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in snapshot.get_tags()],
    }


def _checksum(block: bytes) -> str:
    return base64.b64encode(hashlib.sha256(block).digest()).decode()


def _token(snapshot: Any, index: int) -> str:
    """Names a block of a snapshot and no other; the same each time."""
    return base64.b64encode(hashlib.sha256(f"{snapshot.id}:{index}".encode()).digest()).decode()


def _page_start(snapshot: Any, token: str) -> int:
    match = re.fullmatch(r"(.+):(\d+)", token)
    if not match or match[1] != _token(snapshot, int(match[2])):
        raise _invalid("The page token is not of this snapshot.", "INVALID_PAGE_TOKEN")
    return int(match[2])
