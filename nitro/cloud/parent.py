"""The snapshot that an incremental one begins as, and what is known of its blocks.

EBS direct lists a snapshot's blocks without checksums. What a snapshot of ours contains is
therefore noted in its tags, as long as it fits there; the blocks of others are read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nitro import sparse
from nitro.cloud import tags
from nitro.cloud.blocks import list_blocks, read_block
from nitro.cloud.disk import BLOCK_SIZE, DiskImage
from nitro.cloud.session import Cloud

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SnapshotTypeDef

MARK = 16  # bytes of a block's SHA-256 that tell it from another
RECORDED = 4096  # blocks of the largest disk whose marks are tried to fit into tags
_TAGS = 20  # of the 50 that a snapshot may have
_VALUE = 256  # characters of a tag's value
_EARLY = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Parent:
    """A finished snapshot. `stored`: indices of the blocks that it may have data in.

    `mark` returns the first MARK bytes of the SHA-256 of a stored block.
    """

    snapshot_id: str
    stored: Collection[int]
    mark: Callable[[int], bytes]


def find(cloud: Cloud, disk: DiskImage, kms_key_arn: str | None = None) -> Parent | None:
    """The newest proven snapshot of the same recipe that a snapshot of the disk may begin as.

    It is encrypted with the given key, or not at all, and not larger than the disk.
    """
    pages = cloud.ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"],
        Filters=[*tags.by(), {"Name": "tag:Name", "Values": [disk.name]}],
    )
    found = [
        raw
        for page in pages
        for raw in page["Snapshots"]
        if _is_usable(raw)
        and raw.get("KmsKeyId") == kms_key_arn
        and raw["VolumeSize"] <= disk.size_gib
    ]
    if not found:
        return None
    newest = max(found, key=lambda raw: (raw.get("StartTime", _EARLY), raw["SnapshotId"]))
    return _recorded(newest) or _read(cloud, newest["SnapshotId"])


def record(disk: DiskImage, room: int) -> tags.Tags:
    """Tags that hold the marks of all blocks of a disk; none when that takes more than `room`."""
    if disk.blocks > RECORDED:
        return {}
    with disk.path.open("rb") as file:
        blocks = (sparse.read_block(file, index, BLOCK_SIZE) for index in range(disk.blocks))
        marks = [hashlib.sha256(block).digest()[:MARK] for block in blocks]
    text = base64.b64encode(zlib.compress(b"".join(marks), 9)).decode()
    values = [text[at : at + _VALUE] for at in range(0, len(text), _VALUE)]
    if len(values) > min(room, _TAGS):
        return {}
    return {f"{tags.BLOCKS}{number}": value for number, value in enumerate(values)}


def _is_usable(raw: SnapshotTypeDef) -> bool:
    tag_map = tags.from_list(raw.get("Tags"))
    return raw["State"] == "completed" and tags.DIGEST in tag_map and tags.EPHEMERAL not in tag_map


def _recorded(raw: SnapshotTypeDef) -> Parent | None:
    """From the snapshot's tags; None when they have no record, or a broken one."""
    marks = _marks(tags.from_list(raw.get("Tags")))
    if marks is None:
        return None
    return Parent(raw["SnapshotId"], range(len(marks)), marks.__getitem__)


def _marks(tag_map: Mapping[str, str]) -> list[bytes] | None:
    values: list[str] = []
    while f"{tags.BLOCKS}{len(values)}" in tag_map:
        values.append(tag_map[f"{tags.BLOCKS}{len(values)}"])
    try:
        content = zlib.decompress(base64.b64decode("".join(values), validate=True))
    except (binascii.Error, zlib.error):
        return None
    if not content or len(content) % MARK:
        return None
    return [content[at : at + MARK] for at in range(0, len(content), MARK)]


def _read(cloud: Cloud, snapshot_id: str) -> Parent:
    """Each block is read when it is asked for."""
    blocks = list_blocks(cloud, snapshot_id)

    def mark(index: int) -> bytes:
        return hashlib.sha256(read_block(cloud, blocks, index)).digest()[:MARK]

    return Parent(snapshot_id, blocks.tokens.keys(), mark)
