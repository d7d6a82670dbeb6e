"""The blocks of a snapshot, read through the EBS direct API and held against known checksums."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from nitro.cloud import Cloud
from nitro.cloud.blocks import SnapshotBlocks, list_blocks, read_block
from nitro.errors import NitroError
from nitro.progress import Stage
from nitro.publish.source import BLOCK_SIZE

SAMPLE = 32  # blocks of 512 KiB
WORKERS = 8
_BATCH = 256  # blocks whose futures are held at a time


class Mismatch(NitroError):
    """A snapshot that does not hold the disk."""


def compare(
    cloud: Cloud,
    snapshot_id: str,
    checksums: Mapping[int, bytes],
    stage: Stage,
    *,
    sample: int | None = SAMPLE,
) -> int:
    """Read `sample` blocks chosen by chance (None: all) and compare them; returns how many.

    `checksums` are those of all blocks that are not zeros. That each of them is there is checked
    in any case. Raises Mismatch naming the first byte range that differs.
    """
    blocks = list_blocks(cloud, snapshot_id)
    if blocks.block_size != BLOCK_SIZE:
        raise NitroError(f"{snapshot_id} has blocks of {blocks.block_size} bytes")
    missing = min(checksums.keys() - blocks.tokens.keys(), default=None)
    if missing is not None:
        raise _differs(cloud, snapshot_id, missing)
    chosen = sorted(blocks.tokens)
    if sample is not None and sample < len(chosen):
        chosen = sorted(random.sample(chosen, sample))
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for start in range(0, len(chosen), _BATCH):
                batch = chosen[start : start + _BATCH]
                equal = pool.map(lambda index: _equal(cloud, blocks, index, checksums), batch)
                for index, is_equal in zip(batch, equal, strict=True):
                    if not is_equal:
                        raise _differs(cloud, snapshot_id, index)
                stage.progress(start + len(batch), len(chosen), "blocks")
        finally:
            pool.shutdown(cancel_futures=True)
    return len(chosen)


def _equal(
    cloud: Cloud, blocks: SnapshotBlocks, index: int, checksums: Mapping[int, bytes]
) -> bool:
    content = read_block(cloud, blocks, index)
    wanted = checksums.get(index)
    if wanted is None:
        return not content.strip(b"\0")
    return hashlib.sha256(content).digest() == wanted


def _differs(cloud: Cloud, snapshot_id: str, index: int) -> Mismatch:
    first = index * BLOCK_SIZE
    return Mismatch(
        f"the snapshot {snapshot_id} in {cloud.region} is not the disk: byte range {first} to "
        f"{first + BLOCK_SIZE - 1} differs",
        hint="deregister its AMI and publish again",
    )
