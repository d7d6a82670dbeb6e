"""What is known of a parent's blocks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.ec2.models import ec2_backends

from nitro.cloud import Cloud, DiskImage, Undo, parent, tags
from nitro.cloud.direct import write_snapshot
from nitro.cloud.disk import BLOCK_SIZE
from nitro.progress import Reporter
from tests.cloud.authorization import ACCOUNT
from tests.cloud.conftest import REGION, RUN, connect, recorded


def write(cloud: Cloud, disk: DiskImage) -> str:
    with Undo(sleep=cloud.sleep) as undo, Reporter().stage("") as stage:
        return write_snapshot(cloud, disk, RUN, undo, stage, incremental=False).snapshot_id


def mark(block: bytes) -> bytes:
    return hashlib.sha256(block.ljust(BLOCK_SIZE, b"\0")).digest()[: parent.MARK]


@pytest.mark.extended
def test_the_record_is_of_all_blocks_with_holes(cloud: Cloud, disk: DiskImage) -> None:
    snapshot_id = write(cloud, disk)
    calls = recorded(again := connect())
    found = parent.find(again, disk)
    assert found
    assert (found.snapshot_id, list(found.stored)) == (snapshot_id, list(range(6)))
    content = disk.path.read_bytes()
    blocks = [content[at : at + BLOCK_SIZE] for at in range(0, len(content), BLOCK_SIZE)]
    assert [found.mark(index) for index in range(6)] == [mark(block) for block in blocks]
    assert {call.operation for call in calls} == {"DescribeSnapshots"}


@pytest.mark.extended
def test_a_large_disk_has_no_record(disk: DiskImage, tmp_path: Path) -> None:
    path = tmp_path / "large.raw"
    with path.open("wb") as file:
        for number in range(400):
            file.seek(number * BLOCK_SIZE)
            file.write(number.to_bytes(2, "big"))
    large = replace(disk, path=path, size_bytes=path.stat().st_size)
    assert parent.record(large, 50) == {}
    assert parent.record(disk, 0) == {}
    assert parent.record(disk, 1)


@pytest.mark.extended
def test_a_disk_of_the_size_of_the_shipped_images_has_a_record(
    disk: DiskImage, tmp_path: Path
) -> None:
    """64 MB, no two blocks alike."""
    path = tmp_path / "image.raw"
    path.write_bytes(b"".join(bytes([number]) * BLOCK_SIZE for number in range(128)))
    record = parent.record(replace(disk, path=path, size_bytes=128 * BLOCK_SIZE), 40)
    assert 1 <= len(record) <= 20
    assert all(len(value) <= 256 for value in record.values())


@pytest.mark.extended
def test_the_newest_proven_snapshot_of_the_recipe_is_the_parent(
    cloud: Cloud, disk: DiskImage
) -> None:
    assert parent.find(cloud, disk) is None
    write(cloud, replace(disk, name="another"))
    assert parent.find(cloud, disk) is None
    older = write(cloud, disk)
    ec2_backends[ACCOUNT][REGION].snapshots[older].start_time -= timedelta(hours=1)
    newest = write(cloud, replace(disk, digest=f"sha256:{1:064x}"))
    unproven = write(cloud, replace(disk, digest=f"sha256:{2:064x}"))
    cloud.ec2.delete_tags(Resources=[unproven], Tags=[{"Key": tags.DIGEST}])
    found = parent.find(cloud, disk)
    assert found
    assert found.snapshot_id == newest


@pytest.mark.extended
def test_a_parent_has_the_same_key_and_is_not_larger(cloud: Cloud, disk: DiskImage) -> None:
    write(cloud, replace(disk, size_bytes=2 * 1024**3))
    assert parent.find(cloud, disk) is None
    write(cloud, disk)
    assert parent.find(cloud, disk)
    assert parent.find(cloud, disk, "arn:aws:kms:eu-central-1:123456789012:key/1") is None


@pytest.mark.extended
@given(
    text=st.text("abcXYZ019+/=", max_size=300),
    more=st.text("abcXYZ019+/=", max_size=300),
)
def test_a_broken_record_is_none(text: str, more: str) -> None:
    raw = tags.as_list({f"{tags.BLOCKS}0": text, f"{tags.BLOCKS}1": more})
    assert parent._recorded({"SnapshotId": "snap-1", "Tags": raw}) is None
