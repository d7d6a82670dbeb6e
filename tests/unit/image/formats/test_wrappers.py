"""Files that nitro could read if they were unpacked or converted."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.formats import wrappers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "loader.elf"
    path.write_bytes(b"\x7fELF" + bytes(1000))
    return path


def test_what_archivers_make_is_recognised(file: Path) -> None:
    content = file.read_bytes()
    made = {name: file.with_name(name) for name in ("gz", "xz", "bz2", "zip", "tar")}
    made["gz"].write_bytes(gzip.compress(content))
    made["xz"].write_bytes(lzma.compress(content))
    made["bz2"].write_bytes(bz2.compress(content))
    with zipfile.ZipFile(made["zip"], "w") as archive:
        archive.write(file)
    with tarfile.open(made["tar"], "w") as archive_:
        archive_.add(file, "loader.elf")
    tools = {"gz": "gunzip", "xz": "unxz", "bz2": "bunzip2", "zip": "unzip", "tar": "tar -xf"}
    for name, path in made.items():
        with pytest.raises(InputError, match=f"{path}: .*, which nitro does not read") as refused:
            wrappers.refuse(path)
        assert refused.value.hint == f"unpack it first: {tools[name]}"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (struct.pack("<4sI", b"KDMV", 1), "a VMDK disk"),
        (b"# Disk DescriptorFile\nversion=1\n", "the description of a VMDK disk"),
        (
            b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe",
            "VDI",
        ),
        (b"vhdxfileQ\0E\0M\0U\0", "a VHDX disk"),
        (b"conectix", "a VHD disk"),
        (b"\0" * 56 + b"ARM\x64", "a kernel for 64-bit ARM"),
        (b"\x28\xb5\x2f\xfd\x24", "compressed by zstd"),
    ],
)
def test_other_forms_are_recognised(start: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(start.ljust(4096, b"\0"))
    with pytest.raises(InputError, match=what):
        wrappers.refuse(path)


def test_what_is_not_known_here_passes(file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")  # nobody writes into it
    for path in (file, *(tmp_path / name for name in ("empty", "fifo", "none", "."))):
        wrappers.refuse(path)
