"""A file that is replaced is there as it was, or as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitro.replacing import replacing


def test_the_old_content_is_there_until_all_of_the_new_one_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as fresh:
        fresh.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), replacing(path) as fresh:  # noqa: PT012
        fresh.write_text("half")
        raise OSError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # which ended last
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_stays_one(tmp_path: Path) -> None:
    """As /dev/null does, for a user who may replace it."""
    path, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(path)
    link.symlink_to(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(link) as fresh:
            fresh.write_text("new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert path.is_fifo()
    assert link.is_symlink()


def test_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(path)
    with replacing(link) as fresh:
        fresh.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_a_link_to_itself_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(path)
    with replacing(path) as fresh:
        fresh.write_text("new")
    assert path.read_text() == "new"
