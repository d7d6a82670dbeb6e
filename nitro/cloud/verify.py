"""Is the snapshot the disk? Read back through the EBS direct API and compared byte by byte.

Blocks that the snapshot does not list read as zeros on a volume made from it, and have to be
zeros in the disk.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import tenacity
from botocore.exceptions import BotoCoreError

from nitro.cloud.disk import DiskImage
from nitro.cloud.dryrun import is_planned
from nitro.cloud.session import Cloud
from nitro.errors import NitroError
from nitro.progress import Stage

WORKERS = 8
_BATCH = 256  # blocks read ahead of the comparison: bounds the memory used


@dataclass(frozen=True)
class ReadBack:
    """What was compared. `blocks` counts those that the snapshot stores, of `block_size` bytes."""

    blocks: int
    block_size: int


class Damaged(NitroError):
    """A block did not arrive as it was sent."""


class Mismatch(NitroError):
    """The snapshot is not the disk."""


def compare(cloud: Cloud, snapshot_id: str, disk: DiskImage, stage: Stage) -> ReadBack:
    """Compare the whole snapshot with the whole disk. Raises Mismatch on the first difference."""
    planned = is_planned(snapshot_id)
    block_size, listed = _listed(cloud, snapshot_id)
    with disk.path.open("rb") as file, ThreadPoolExecutor(WORKERS) as pool:

        def fetch(block: tuple[int, str]) -> tuple[int, bytes]:
            return block[0], _fetch(cloud, snapshot_id, *block, block_size)

        try:
            for start in range(0, len(listed), _BATCH):
                batch = list(listed.items())[start : start + _BATCH]
                for index, stored in pool.map(fetch, batch):
                    if not planned and stored != _block(file, index, block_size):
                        raise _differs(snapshot_id, disk, index, block_size)
                stage.progress(start + len(batch), len(listed), "blocks")
        finally:
            pool.shutdown(cancel_futures=True)
        for index in () if planned else _with_data(file, block_size):
            if index not in listed and _block(file, index, block_size).strip(b"\0"):
                raise _differs(snapshot_id, disk, index, block_size)
    return ReadBack(len(listed), block_size)


def _listed(cloud: Cloud, snapshot_id: str) -> tuple[int, dict[int, str]]:
    """Block size in bytes, and index → token of every block that the snapshot stores."""
    listed: dict[int, str] = {}
    block_size, page = 0, ""
    while True:
        more = {"NextToken": page} if page else {}
        answer = cloud.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, **more)
        block_size = answer["BlockSize"]
        listed |= {block["BlockIndex"]: block["BlockToken"] for block in answer.get("Blocks", [])}
        page = answer.get("NextToken", "")
        if not page:
            return block_size, listed


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((BotoCoreError, Damaged)),
    stop=tenacity.stop_after_attempt(3),
    reraise=True,
)
def _fetch(cloud: Cloud, snapshot_id: str, index: int, token: str, block_size: int) -> bytes:
    answer = cloud.ebs.get_snapshot_block(
        SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token
    )
    data: bytes = answer["BlockData"].read()
    checksum = answer.get("Checksum")
    if checksum and base64.b64encode(hashlib.sha256(data).digest()).decode() != checksum:
        raise Damaged(
            f"block {index} of {snapshot_id} was damaged on its way here", hint="try again"
        )
    return data.ljust(block_size, b"\0")


def _block(file: BinaryIO, index: int, size: int) -> bytes:
    return os.pread(file.fileno(), size, index * size).ljust(size, b"\0")


def _with_data(file: BinaryIO, block_size: int) -> Iterator[int]:
    """Indices of the blocks in which the file system keeps data; the others are holes."""
    size, offset, last = os.fstat(file.fileno()).st_size, 0, -1
    while offset < size:
        try:
            start = os.lseek(file.fileno(), offset, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole to the end
            return
        offset = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        for index in range(max(start // block_size, last + 1), -(-offset // block_size)):
            yield index
            last = index


def _differs(snapshot_id: str, disk: DiskImage, index: int, block_size: int) -> Mismatch:
    return Mismatch(
        f"the snapshot {snapshot_id} is not {disk.path.name}: byte range {index * block_size} to "
        f"{(index + 1) * block_size - 1} differs",
        hint="something changed it between upload and import: who may write to the bucket?",
    )
