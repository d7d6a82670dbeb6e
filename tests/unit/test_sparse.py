"""Walking over a sparse file's data."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro.sparse import data_blocks, read_block, size_of

extents = st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 20_000)), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extents=extents, size=st.integers(0, 250_000), block_size=st.sampled_from([512, 4096, 9999]))
def test_every_byte_that_is_not_zero_is_in_a_block_that_is_listed_once(
    tmp_path: Path, extents: list[tuple[int, int]], size: int, block_size: int
) -> None:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        for offset, length in extents:
            file.seek(offset)
            file.write(b"\1" * length)
        file.truncate(max(size, file.seek(0, 2)))
    content = path.read_bytes()
    with path.open("rb") as file:
        listed = list(data_blocks(file, block_size))
        blocks = [
            read_block(file, index, block_size) for index in range(-(-len(content) // block_size))
        ]
    assert listed == sorted(set(listed))
    assert b"".join(blocks)[: len(content)] == content
    assert all(not block.strip(b"\0") for i, block in enumerate(blocks) if i not in set(listed))


def test_holes_are_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.write(b"\1")
        file.seek(1 << 20)
        file.write(b"\1")
        file.truncate(1 << 24)
    with path.open("rb") as file:
        assert list(data_blocks(file, 1 << 18)) == [0, 4]


def test_behind_the_end_there_are_zeros(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(b"\1\2\3")
    with path.open("rb") as file:
        assert read_block(file, 0, 5) == b"\1\2\3\0\0"
        assert read_block(file, 7, 5) == bytes(5)


def test_a_block_device_has_no_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux refuses SEEK_DATA there with EINVAL, and fstat(2) calls its size 0."""
    path = tmp_path / "disk.raw"
    path.write_bytes(b"\1" * 2500)
    lseek = os.lseek

    def of_device(fd: int, offset: int, whence: int) -> int:
        if whence in (os.SEEK_DATA, os.SEEK_HOLE):
            raise OSError(errno.EINVAL, "Invalid argument")
        return lseek(fd, offset, whence)

    monkeypatch.setattr(os, "lseek", of_device)
    with path.open("rb") as file:
        assert list(data_blocks(file, 1000)) == [0, 1, 2]
        assert size_of(file) == 2500
