"""The disks behind snapshots."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.local.store import BLOCK_SIZE, BlockStore

# Disks as runs of zeros and of data, which meet in the middle of blocks too.
runs = st.lists(
    st.tuples(st.sampled_from([b"\0", b"a", b"b"]), st.integers(1, 2 * BLOCK_SIZE)), max_size=5
)


def disk(pieces: list[tuple[bytes, int]]) -> bytes:
    return b"".join(byte * count for byte, count in pieces)


@pytest.mark.extended
@settings(max_examples=25, deadline=None)
@given(runs, st.integers(BLOCK_SIZE // 3, 3 * BLOCK_SIZE))
def test_a_disk_is_read_back_as_written(pieces: list[tuple[bytes, int]], step: int) -> None:
    content = disk(pieces)
    with tempfile.TemporaryDirectory() as folder:
        store = BlockStore(Path(folder))
        parts = (content[at : at + step] for at in range(0, len(content), step))
        assert store.create("disk", parts) == len(content)
        assert store.path("disk").read_bytes() == content
        count = -(-len(content) // BLOCK_SIZE)
        read = b"".join(store.read("disk", index) for index in range(count))
        assert read == content.ljust(count * BLOCK_SIZE, b"\0")


@pytest.mark.extended
@settings(max_examples=25, deadline=None)
@given(runs)
def test_used_blocks_are_those_that_hold_anything(pieces: list[tuple[bytes, int]]) -> None:
    content = disk(pieces)
    with tempfile.TemporaryDirectory() as folder:
        store = BlockStore(Path(folder))
        store.create("disk", [content])
        blocks = range(-(-len(content) // BLOCK_SIZE))
        expected = [
            i for i in blocks if content[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE].strip(b"\0")
        ]
        assert store.used("disk") == expected


def test_a_copy_is_the_disk_grown_to_the_volumes_size(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    content = b"x" * BLOCK_SIZE + bytes(BLOCK_SIZE) + b"y"
    store.create("disk", [content])
    copy = tmp_path / "copy"
    store.copy_to("disk", copy, 64 * BLOCK_SIZE)
    assert copy.read_bytes() == content.ljust(64 * BLOCK_SIZE, b"\0")
    assert copy.stat().st_blocks * 512 < 4 * BLOCK_SIZE, "holes stay holes"


def test_zeros_take_no_room(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    store.create("disk", [bytes(BLOCK_SIZE)] * 64)
    assert store.path("disk").stat().st_size == 64 * BLOCK_SIZE
    assert store.path("disk").stat().st_blocks == 0
    assert store.used("disk") == []


def test_written_blocks_are_used_from_then_on(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    store.create("disk")
    assert store.used("disk") == []
    store.write("disk", 3, b"z" * BLOCK_SIZE)
    assert store.used("disk") == [3]
    assert store.read("disk", 3) == b"z" * BLOCK_SIZE
    assert store.read("disk", 9) == bytes(BLOCK_SIZE)


def test_a_disk_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken():
        yield b"x"
        raise OSError("the source is gone")

    store = BlockStore(tmp_path)
    with pytest.raises(OSError, match="the source is gone"):
        store.create("disk", broken())
    assert not list(tmp_path.iterdir())


def test_deleting_is_final_and_harmless_twice(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    store.create("disk", [b"x"])
    store.delete("disk")
    store.delete("disk")
    assert not store.exists("disk")


def test_a_linked_disk_outlives_the_one_that_it_was(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    store.create("a", [b"data"])
    store.link("a", "b")
    assert store.path("a").samefile(store.path("b"))
    store.delete("a")
    assert store.used("b") == [0]
    assert store.read("b", 0).startswith(b"data")


@pytest.mark.extended
def test_a_raw_file_is_taken_with_its_holes(tmp_path: Path) -> None:
    store, source = BlockStore(tmp_path / "blocks"), tmp_path / "source"
    with source.open("wb") as file:
        file.write(b"first")
        file.seek(64 * BLOCK_SIZE)
        file.write(b"last")
        file.truncate(100 * BLOCK_SIZE + 1)
    store.take("disk", source)
    assert store.path("disk").read_bytes() == source.read_bytes()
    assert store.used("disk") == [0, 64]
    assert store.path("disk").stat().st_blocks * 512 < 4 * BLOCK_SIZE


def test_nothing_is_left_of_a_file_that_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlockStore(tmp_path / "blocks")
    with pytest.raises(OSError, match="absent"):
        store.take("disk", tmp_path / "absent")
    assert not list(store.folder.iterdir())
    (tmp_path / "source").write_bytes(b"content")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nitro.local.store._write_sparsely", full)
    with pytest.raises(OSError, match="No space"):
        store.take("disk", tmp_path / "source")
    assert not list(store.folder.iterdir())
