"""A snapshot held against checksums, all blocks of it or some."""

from __future__ import annotations

import pytest

from nitro.cloud import Cloud
from nitro.progress import Stage
from nitro.publish import readback
from nitro.publish.source import BLOCK_SIZE, Source
from tests.cloud.publish.conftest import make_release, publish_it

pytestmark = pytest.mark.policies("publish")


@pytest.mark.extended
def test_blocks_are_compared_with_checksums(account: Cloud, disk: Source) -> None:
    done = publish_it(make_release(disk, via="s3", regions=["eu-central-1"], parameter=None))
    assert done.outcomes[0].ami
    snapshot_id = done.outcomes[0].ami.snapshot_id

    def compare(checksums: dict[int, bytes], sample: int | None = None) -> int:
        return readback.compare(account, snapshot_id, checksums, Stage(), sample=sample)

    blocks = dict(disk.blocks)
    assert compare(blocks) >= 2
    assert compare(blocks, sample=1) == 1
    first = 2 * BLOCK_SIZE
    with pytest.raises(readback.Mismatch, match=f"byte range {first} to {first + BLOCK_SIZE - 1}"):
        compare({**blocks, 2: bytes(32)})
    with pytest.raises(readback.Mismatch):  # one that is not there, found without reading
        compare({**blocks, 9: bytes(32)}, sample=1)
    with pytest.raises(readback.Mismatch):  # data where zeros should be
        compare({0: blocks[0]})
