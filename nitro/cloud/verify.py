"""Is the snapshot the disk? Read back and compared byte by byte.

Blocks that the snapshot does not store have to be zeros in the disk.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from nitro.cloud.blocks import list_blocks, read_block
from nitro.cloud.disk import DiskImage
from nitro.cloud.session import Cloud
from nitro.errors import NitroError
from nitro.progress import Stage
from nitro.sparse import data_blocks
from nitro.sparse import read_block as read_disk_block

WORKERS = 8
_BATCH = 256  # blocks read ahead of the comparison: bounds the memory used


class Mismatch(NitroError):
    """The snapshot is not the disk."""


def compare(cloud: Cloud, snapshot_id: str, disk: DiskImage, stage: Stage) -> int:
    """Compare the whole snapshot with the whole disk; returns how many blocks the snapshot stores.

    Raises Mismatch on the first difference.
    """
    blocks = list_blocks(cloud, snapshot_id)
    size, stored = blocks.block_size, list(blocks.tokens)
    if cloud.plan:  # there is nothing to compare yet: note the calls
        for index in stored[:1]:
            read_block(cloud, blocks, index)
        return len(stored)
    with disk.path.open("rb") as file, ThreadPoolExecutor(WORKERS) as pool:

        def fetch(index: int) -> tuple[int, bytes]:
            return index, read_block(cloud, blocks, index)

        try:
            for start in range(0, len(stored), _BATCH):
                batch = stored[start : start + _BATCH]
                for index, content in pool.map(fetch, batch):
                    if content != read_disk_block(file, index, size):
                        raise _differs(snapshot_id, disk, index, size)
                stage.progress(start + len(batch), len(stored), "blocks")
        finally:
            pool.shutdown(cancel_futures=True)
        for index in data_blocks(file, size):
            if index not in blocks.tokens and read_disk_block(file, index, size).strip(b"\0"):
                raise _differs(snapshot_id, disk, index, size)
    return len(stored)


def _differs(snapshot_id: str, disk: DiskImage, index: int, block_size: int) -> Mismatch:
    return Mismatch(
        f"the snapshot {snapshot_id} is not {disk.path.name}: byte range {index * block_size} to "
        f"{(index + 1) * block_size - 1} differs",
        hint="something changed it between upload and import: who may write to the bucket?",
    )
