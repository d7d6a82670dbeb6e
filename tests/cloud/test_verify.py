"""Reading a snapshot back."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError

from nitro.cloud import Cloud, DiskImage, Undo, publish, verify
from nitro.local.aws import Site
from nitro.progress import Reporter
from tests.cloud.conftest import connect, make_disk, recorded

BLOCK = 524288


@pytest.fixture
def snapshot(cloud: Cloud, disk: DiskImage) -> str:
    with Undo() as undo:
        return publish(cloud, disk, undo).snapshot_id


def compare(snapshot: str, disk: DiskImage) -> int:
    with Reporter().stage("read back") as stage:
        return verify.compare(connect(), snapshot, disk, stage)


@pytest.mark.extended
def test_holes_need_no_reading(snapshot: str, disk: DiskImage) -> None:
    """700,000 bytes from 0 and 300,001 from 9,000,000: blocks 0, 1 and 17."""
    assert compare(snapshot, disk) == 3


@pytest.mark.extended
@pytest.mark.parametrize("at", [0, 699_999, 700_000, 2_699_999, 3_000_000])
def test_one_bit_in_the_disk_is_seen(snapshot: str, disk: DiskImage, at: int) -> None:
    with disk.path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(verify.Mismatch, match=f"byte range {at // BLOCK * BLOCK} to"):
        compare(snapshot, disk)


@pytest.mark.extended
def test_one_bit_in_a_hole_of_the_disk_is_seen(snapshot: str, disk: DiskImage, site: Site) -> None:
    block = bytearray(BLOCK)
    block[77] = 1
    site.store.write(snapshot, 5, bytes(block))
    with pytest.raises(verify.Mismatch, match=f"byte range {5 * BLOCK} to {6 * BLOCK - 1}"):
        compare(snapshot, disk)


@pytest.mark.extended
def test_more_behind_the_end_of_the_disk_is_seen(
    snapshot: str, disk: DiskImage, site: Site
) -> None:
    site.store.write(snapshot, 100, b"\1" * BLOCK)
    with pytest.raises(verify.Mismatch, match=f"byte range {100 * BLOCK} to"):
        compare(snapshot, disk)


def test_less_than_the_disk_is_seen(snapshot: str, disk: DiskImage, tmp_path: Path) -> None:
    longer = tmp_path / "longer.raw"
    longer.write_bytes(disk.path.read_bytes() + bytes(10 * BLOCK) + b"!")
    with pytest.raises(verify.Mismatch):
        compare(snapshot, replace(disk, path=longer))


@pytest.mark.extended
def test_another_disk_is_seen(snapshot: str, tmp_path: Path) -> None:
    with pytest.raises(verify.Mismatch):
        compare(snapshot, make_disk(tmp_path / "other.raw", seed=2))


@pytest.mark.extended
def test_all_pages_are_read(snapshot: str, disk: DiskImage, site: Site) -> None:
    block = b"\1" + bytes(BLOCK - 1)
    with disk.path.open("r+b") as file:
        for index in range(20, 140):
            site.store.write(snapshot, index, block)
            os.pwrite(file.fileno(), block, index * BLOCK)
    cloud = connect()

    def small(params, **_) -> None:
        params["MaxResults"] = 100

    cloud.session.events.register("provide-client-params.ebs.ListSnapshotBlocks", small)
    calls = recorded(cloud)
    with Reporter().stage("read back") as stage:
        assert verify.compare(cloud, snapshot, disk, stage) == 123
    assert [call.operation for call in calls].count("ListSnapshotBlocks") == 2


@pytest.mark.extended
@pytest.mark.parametrize("how", ["cut off", "damaged"])
def test_a_block_that_arrives_badly_is_read_again(snapshot: str, disk: DiskImage, how: str) -> None:
    cloud = connect()
    broken: list[str] = []

    class CutOff(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://ebs")

    def handle(parsed, **_) -> None:
        if not broken:
            broken.append(how)
            parsed["BlockData"] = CutOff() if how == "cut off" else io.BytesIO(b"\1" * BLOCK)

    cloud.session.events.register("after-call.ebs.GetSnapshotBlock", handle)
    with Reporter().stage("") as stage:
        assert verify.compare(cloud, snapshot, disk, stage) == 3
    assert broken == [how]
