"""A full disk names a place, whoever met it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NamedTuple

import pytest

from nitro import space
from nitro.stored import stored


class Usage(NamedTuple):
    free: int


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cache", "state"):
        monkeypatch.setenv(f"NITRO_{name.upper()}", str(tmp_path / name))


def test_a_write_that_finds_the_disk_full_names_the_place(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        with Path("/dev/full").open("w") as file:
            file.write("x")

    with pytest.raises(OSError, match="No space left") as caught:
        stored("things", "key", make)
    assert caught.value.filename == str(tmp_path / "cache/things")
    assert not list((tmp_path / "cache/things").iterdir())


def test_an_error_that_names_its_file_keeps_it(tmp_path: Path) -> None:
    def fail(error: OSError) -> object:
        with pytest.raises(type(error)), space.writing(tmp_path):
            raise error
        return error.filename

    assert fail(OSError(errno.ENOSPC, "full", "/file")) == "/file"
    assert fail(OSError(errno.EDQUOT, "full")) == str(tmp_path)
    assert fail(OSError(errno.EIO, "broken")) is None


def test_without_any_name_the_fullest_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "disk_usage", lambda path: Usage(0 if path.name == "state" else 9))
    assert space.fullest() == tmp_path / "state"
