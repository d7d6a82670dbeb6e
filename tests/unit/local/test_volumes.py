"""The files behind volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.local.hypervisor import Disk
from nitro.local.store import BlockStore
from nitro.local.volumes import VolumeFiles

SIZE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> BlockStore:
    return BlockStore(tmp_path / "blocks")


@pytest.fixture
def volumes(tmp_path: Path, store: BlockStore) -> VolumeFiles:
    return VolumeFiles(tmp_path / "volumes", store)


def test_a_volume_begins_as_its_snapshot_in_its_own_size(
    store: BlockStore, volumes: VolumeFiles
) -> None:
    store.create("snap-1", [b"content"])
    path = volumes.make(Disk("/dev/xvda", SIZE, "snap-1", "vol-1"))
    assert path.read_bytes() == b"content".ljust(SIZE, b"\0")
    assert volumes.path("vol-1") == path


def test_what_was_written_stays_until_the_volume_is_deleted(volumes: VolumeFiles) -> None:
    disk = Disk("/dev/sdf", SIZE, None, "vol-1")
    assert volumes.make(disk).read_bytes() == bytes(SIZE)
    volumes.path("vol-1").write_bytes(b"written")
    assert volumes.make(disk).read_bytes() == b"written"
    volumes.delete("vol-1")
    volumes.delete("vol-1")
    assert not volumes.path("vol-1").exists()


def test_a_volume_that_could_not_be_made_leaves_nothing(volumes: VolumeFiles) -> None:
    with pytest.raises(OSError, match="snap-gone"):
        volumes.make(Disk("/dev/xvda", SIZE, "snap-gone", "vol-1"))
    assert not volumes.path("vol-1").exists()
