"""Disks of anybody's: sized and hashed whole, or refused in one line."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from unittest.mock import Mock

import pytest

from nitro.errors import InputError
from nitro.progress import Stage
from nitro.publish import source
from nitro.publish.source import BLOCK_SIZE, of_image, of_raw_disk, open_disk, scan


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A block of data, a hole, a block of zeros that is written, and an unfinished block."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.write(b"a" * BLOCK_SIZE)
        file.seek(2 * BLOCK_SIZE)
        file.write(bytes(BLOCK_SIZE) + b"end")
    return path


def test_one_pass_gives_digest_size_and_checksums(raw: Path) -> None:
    digest, size, blocks = scan(raw, Stage())
    content = raw.read_bytes()
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert size == len(content)
    last = b"end".ljust(BLOCK_SIZE, b"\0")
    assert blocks == {
        0: hashlib.sha256(b"a" * BLOCK_SIZE).digest(),
        3: hashlib.sha256(last).digest(),
    }


def test_a_link_is_what_it_points_to(raw: Path) -> None:
    link = raw.with_name("link")
    link.symlink_to(raw)
    assert scan(link, Stage()) == scan(raw, Stage())


def test_a_block_device_has_the_size_that_seeking_finds(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stat(2) says 0 of it. Only root could make a real one, and containers have none."""
    usual = scan(raw, Stage())
    stat = raw.stat()
    device = Mock(st_mode=0o060660, st_size=0, st_mtime_ns=stat.st_mtime_ns, st_ino=stat.st_ino)
    monkeypatch.setattr(Path, "stat", lambda self: device)
    assert scan(raw, Stage()) == usual


def test_what_cannot_be_read_at_any_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo, empty = tmp_path / "fifo", tmp_path / "empty"
    os.mkfifo(fifo)
    empty.touch()
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 characters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for path, named in (
        (fifo, "is a FIFO"),
        (empty, "is empty"),
        (tmp_path, "is a folder"),
        (Path("/dev/null"), "is a character device"),
        (tmp_path / "socket", "is a socket"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(InputError, match=named):
            open_disk(path)


def test_a_disk_that_grows_while_it_is_read_is_refused(raw: Path) -> None:
    class Growing(Stage):
        def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
            with raw.open("ab") as file:
                file.write(b"more")

    with pytest.raises(InputError, match="changed while it was read"):
        scan(raw, Growing())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"architecture": "vax"}, "--arch vax"),
        ({"boot_mode": "bios"}, "--boot-mode bios"),
        ({"name": "a b"}, "--name a b"),
    ],
)
def test_a_raw_disk_is_described_in_words_that_ec2_knows(
    raw: Path, wrong: dict[str, str], named: str
) -> None:
    words = {"name": "web", "architecture": "arm64", "boot_mode": "uefi", **wrong}
    with pytest.raises(InputError, match=named):
        of_raw_disk(raw, stage=Stage(), **words)


def test_an_image_that_is_not_its_manifest_s_any_more_is_refused(raw: Path) -> None:
    made = of_raw_disk(raw, name="web", architecture="x86_64", boot_mode="uefi", stage=Stage())
    assert of_image(made.disk, source.Provenance(), Stage()) == made
    assert made.data_bytes == 2 * BLOCK_SIZE
    raw.write_bytes(b"other")
    with pytest.raises(InputError, match="build it again"):
        of_image(made.disk, source.Provenance(), Stage())
