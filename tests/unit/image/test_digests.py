"""Digests are remembered for files that have not changed, and for no others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nitro.image import digests
from nitro.image.digests import Digests

CONTENT = b"a" * 200_000


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_SETTLED_NS", -(10**9))
    read: list[Path] = []
    original = digests.of_file

    def of_file(path: Path) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr(digests, "of_file", of_file)
    return read


def ask(path: Path) -> str:
    known = Digests()
    digest = known.sha256(path)
    known.keep()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return digest


def test_an_unchanged_file_is_read_once(reads: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert ask(path) == ask(path)
    assert reads == [path]


def test_a_change_that_leaves_size_and_time_is_seen(reads: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    before = path.stat()
    first = ask(path)
    path.write_bytes(b"b" * len(CONTENT))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ask(path) != first
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert ask(path) == first


def test_what_may_still_change_and_what_is_small_is_not_remembered(
    reads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, fresh = tmp_path / "small", tmp_path / "fresh"
    small.write_bytes(b"small")
    ask(small), ask(small)
    assert reads == [small, small]
    monkeypatch.setattr(digests, "_SETTLED_NS", 10**15)
    fresh.write_bytes(CONTENT)
    ask(fresh), ask(fresh)
    assert reads[2:] == [fresh, fresh]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"/x": 1}', "[" * 5000, "\0"])
def test_a_damaged_memory_is_none(reads: list[Path], tmp_path: Path, text: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/digests.json").write_text(text)
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    ask(path)
    ask(path)
    assert reads == [path]


def test_the_latest_are_kept(
    reads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_MOST", 2)
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_bytes(CONTENT)
        ask(path)
    reads.clear()
    for path in reversed(files):
        ask(path)
    assert reads == [files[0]]
