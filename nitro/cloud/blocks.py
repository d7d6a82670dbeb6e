"""The blocks of a snapshot, read through the EBS direct API.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
"""

from __future__ import annotations

from dataclasses import dataclass

from nitro.cloud.session import Cloud


@dataclass(frozen=True)
class SnapshotBlocks:
    """The blocks that a snapshot stores: index → token. Sizes are in bytes."""

    snapshot_id: str
    block_size: int
    tokens: dict[int, str]


def list_blocks(cloud: Cloud, snapshot_id: str) -> SnapshotBlocks:
    """All blocks of a snapshot. Those not listed read as zeros on a volume made from it."""
    answer = cloud.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    tokens: dict[int, str] = {}
    while True:
        tokens |= {block["BlockIndex"]: block["BlockToken"] for block in answer.get("Blocks", [])}
        page = answer.get("NextToken")
        if not page:
            return SnapshotBlocks(snapshot_id, answer["BlockSize"], tokens)
        answer = cloud.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, NextToken=page)


def read_block(cloud: Cloud, blocks: SnapshotBlocks, index: int) -> bytes:
    """One stored block, always `block_size` bytes."""
    answer = cloud.ebs.get_snapshot_block(
        SnapshotId=blocks.snapshot_id, BlockIndex=index, BlockToken=blocks.tokens[index]
    )
    return bytes(answer["BlockData"].read()).ljust(blocks.block_size, b"\0")
