"""Files that a user names: what is none is told at once, and nothing endless is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitro.ena.explain import explain
from nitro.errors import InputError
from nitro.input_file import read


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert read(path, 4096) == b"x" * size
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read(link, 4096) == b"x" * size


def test_a_file_that_is_too_large_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4097)
    with pytest.raises(InputError, match="larger than 4 KiB"):
        read(path, 4096)


@pytest.mark.parametrize("what", ["fifo", "folder", "/dev/zero", "missing"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, what: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    says = "No such file" if what == "missing" else "not a regular file"
    with pytest.raises(InputError, match=says):
        read(tmp_path / what, 4096)
    with pytest.raises(InputError, match=says):
        next(explain(tmp_path / what))


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"file: Permission denied"):
        read(path, 10)
