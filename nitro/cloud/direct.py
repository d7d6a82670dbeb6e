"""From a disk to a snapshot through the EBS direct API: no bucket, no role, no import.

    start ─ write what differs ─ complete ─ wait ─ tag with the digest

Only what the snapshot does not have yet is sent: blocks that are not zeros, or, with a parent,
that are not the parent's. EBS checks each block against its SHA-256, and all of them together on
completion. What is inherited is the parent's, which was proven in the same way.

StartSnapshot's token follows from the disk and from what is asked for. A run that is killed
leaves a pending snapshot; the next one gets the same snapshot by the same token, writes it anew
and completes it. One that nobody comes back to is cancelled by EBS after TIMEOUT.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from nitro.cloud import limits, parent, snapshot, tags
from nitro.cloud.block_writer import send_blocks
from nitro.cloud.disk import BLOCK_SIZE, DiskImage
from nitro.cloud.errors import ApiError
from nitro.cloud.parent import Parent
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Entry, Lifetime, Undo
from nitro.cloud.visibility import VISIBLE_AFTER
from nitro.errors import NitroError
from nitro.progress import Stage

if TYPE_CHECKING:
    from mypy_boto3_ebs.type_defs import StartSnapshotRequestTypeDef, StartSnapshotResponseTypeDef

TIMEOUT = 60  # minutes without a block after which EBS cancels the snapshot
DEADLINE = 1800.0  # seconds from completion until the snapshot can be used
GENERATIONS = 10  # snapshots under successive tokens that may have come to nothing before
# What StartSnapshot says of a parent: https://docs.aws.amazon.com/ebs/latest/userguide/ebsapis-using-encryption.html
_PARENT_UNUSABLE = frozenset({"ValidationException", "ResourceNotFoundException"})


@dataclass(frozen=True)
class Written:
    """A finished snapshot. `parent`: the snapshot that it began as; None: it began empty."""

    snapshot_id: str
    blocks_sent: int
    parent: str | None

    @property
    def bytes_sent(self) -> int:
        return self.blocks_sent * BLOCK_SIZE


def write_snapshot(
    cloud: Cloud,
    disk: DiskImage,
    run: tags.Run,
    undo: Undo,
    stage: Stage,
    *,
    kms_key_arn: str | None = None,
    incremental: bool = True,
) -> Written:
    """Make a snapshot of the disk, and tag it with the disk's digest once it is completed.

    It begins as the newest one of the same recipe in the region, where there is one. With
    `kms_key_arn` (no alias) it is encrypted with that key; without, as the account's settings
    say. What this makes is pushed on `undo`. Raises ApiRefused for what may not be done, and
    NitroError when EBS fails.
    """
    limits.check_disk(disk)
    base = parent.find(cloud, disk, kms_key_arn) if incremental else None
    request = _request(disk, run, base, kms_key_arn)
    for generation in range(GENERATIONS):
        try:
            entry, started = _start(cloud, disk, undo, request, generation)
        except ApiError as error:
            # As when the parent has been removed, or when it is not encrypted and has to be.
            if base is None or error.code not in _PARENT_UNUSABLE:
                raise
            return write_snapshot(
                cloud, disk, run, undo, stage, kms_key_arn=kms_key_arn, incremental=False
            )
        try:
            return _write(cloud, disk, run, started, base, stage)
        except _Gone:  # EBS keeps its token for an unknown time
            undo.remove(entry)
    raise NitroError(
        f"{GENERATIONS} snapshots of {disk.name} were begun in {cloud.region} and came to nothing",
        hint="`nitro ls` shows what is left of them",
    )


class _Gone(Exception):
    """The snapshot that a token stands for has failed or was removed."""


def _request(
    disk: DiskImage, run: tags.Run, base: Parent | None, kms_key_arn: str | None
) -> StartSnapshotRequestTypeDef:
    """The call that starts the snapshot, but for its token. It is the same run after run."""
    tag_map = tags.image_tags(disk.name, disk.digest, disk.tags)
    del tag_map[tags.DIGEST]  # to come when the content is there
    request: StartSnapshotRequestTypeDef = {
        "VolumeSize": disk.size_gib,
        "Description": f"nitro {disk.name} {tags.short(disk.digest)}",
        "Tags": tags.as_list(tag_map | (run.tags if run.ephemeral else {})),
        "Timeout": TIMEOUT,
    }
    if base:
        request["ParentSnapshotId"] = base.snapshot_id  # and its key
    elif kms_key_arn:
        request |= {"Encrypted": True, "KmsKeyArn": kms_key_arn}
    return request


def _start(
    cloud: Cloud,
    disk: DiskImage,
    undo: Undo,
    request: StartSnapshotRequestTypeDef,
    generation: int,
) -> tuple[Entry, StartSnapshotResponseTypeDef]:
    """Returns the entry of the snapshot, and what EBS says of it: it may be an earlier run's."""
    order = json.dumps([request, disk.digest, generation], sort_keys=True)
    token = f"nitro-{hashlib.sha256(order.encode()).hexdigest()[:32]}"
    tag_list = [*request.get("Tags", ())]
    tag_list += tags.as_list({tags.WRITE: token})
    request = {**request, "ClientToken": token, "Tags": tag_list}
    with undo.making(
        f"snapshot of {disk.name}",
        Lifetime.IMAGE,
        find=lambda: snapshot.started_by(cloud, token),
        remove=lambda id_: snapshot.remove(cloud, id_),
    ) as entry:
        started = cloud.ebs.start_snapshot(**request)
        entry.id = started["SnapshotId"]
    return entry, started


def _write(
    cloud: Cloud,
    disk: DiskImage,
    run: tags.Run,
    started: StartSnapshotResponseTypeDef,
    base: Parent | None,
    stage: Stage,
) -> Written:
    """Bring a started snapshot to its end. Raises _Gone when it is not there any more."""
    id_, sent = started["SnapshotId"], 0
    try:
        if started["Status"] == "error":
            raise _Gone
        if started["Status"] == "pending":
            sent = _fill(cloud, disk, started, base, stage)
        stage.status(f"waiting for {id_}")
        snapshot.wait_completed(cloud, id_, stage, DEADLINE)
    except ApiError as error:
        if not error.absent:
            raise
        raise _Gone from error
    tag_map = tags.image_tags(disk.name, disk.digest, disk.tags) | run.tags
    room = limits.TAGS - len(tag_map) - 1
    snapshot.tag_snapshot(cloud, id_, tag_map | parent.record(disk, room))
    return Written(id_, sent, base.snapshot_id if base else None)


def _fill(
    cloud: Cloud,
    disk: DiskImage,
    started: StartSnapshotResponseTypeDef,
    base: Parent | None,
    stage: Stage,
) -> int:
    """Write the blocks and complete the snapshot; returns how many were written.

    Another run with the same token may be quicker: then there is nothing left to do.
    """
    id_ = started["SnapshotId"]
    try:
        sent = send_blocks(
            cloud,
            disk,
            id_,
            stage,
            base=base,
            encrypted="KmsKeyArn" in started,
            visible_at=time.monotonic() + VISIBLE_AFTER - _age(started),
        )
    except ApiError as error:
        if error.absent or not _has_ended(cloud, id_):
            raise
        return 0
    try:
        cloud.ebs.complete_snapshot(
            SnapshotId=id_,
            ChangedBlocksCount=sent.blocks,
            Checksum=sent.checksum,
            ChecksumAlgorithm="SHA256",
            ChecksumAggregationMethod="LINEAR",
        )
    except ApiError as error:
        if error.absent or not (error.may_have_happened or _has_ended(cloud, id_)):
            raise
    return sent.blocks


def _has_ended(cloud: Cloud, snapshot_id: str) -> bool:
    """Whether it is completed. Raises _Gone when it has failed, as by its timeout."""
    state = snapshot.state(cloud, snapshot_id)
    if state == "error":
        raise _Gone
    return state == "completed"


def _age(started: StartSnapshotResponseTypeDef) -> float:
    """Seconds since the snapshot was first started, by the service's clock where it tells it."""
    date = started["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return (now - started["StartTime"]).total_seconds()
