"""The same input gives the same bytes as ever: a digest of an image depends on each of them.

What the bytes mean is tested beside this, and by other tools in tests/boot. A change here is a
change of every image: put the new digest here only when that is what you want.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path

import pytest

from nitro.image.formats import cpio, fat, gpt
from nitro.image.linux import disk
from nitro.image.rootfs import Node

DISK = uuid.UUID("11111111-2222-3333-4444-555555555555")
BOOT: dict[str, fat.Source] = {
    "VMLINUZ": bytes(range(256)) * 300,
    "EFI/BOOT/BOOTX64.EFI": b"loader",
    "EFI/BOOT/GRUB.CFG": b"",
    **{f"MANY/F{n}.TXT": b"%d" % n for n in range(150)},  # a folder of several sectors
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@pytest.mark.extended
@pytest.mark.parametrize(
    ("large", "size", "digest"),
    [(0, 5177344, "45bc098208a3c49f"), (4070 * 32768, 138575872, "8f3f26420f035a10")],
    ids=["FAT12", "FAT16"],
)
def test_a_fat_volume(tmp_path: Path, large: int, size: int, digest: str) -> None:
    big = tmp_path / "large"
    with big.open("wb") as file:
        file.truncate(large)  # sparse
    volume = fat.Volume({**BOOT, "ZZZ": big}, label="TEST", serial=0x1234ABCD)
    with (tmp_path / "volume").open("w+b") as out:
        volume.write(out, 0)
        out.seek(0)
        head = out.read(1 << 20)
    assert (volume.size, sha256(head)) == (size, digest)


def test_a_partition_table() -> None:
    parts = [
        gpt.Partition(gpt.BIOS_BOOT, uuid.UUID(int=1), 34, 2047, "boot"),
        gpt.Partition(gpt.EFI_SYSTEM, uuid.UUID(int=2), 2048, 9000, "EFI system"),
    ]
    start, end = gpt.write(DISK, parts, 10_000)
    assert (sha256(start), sha256(end)) == ("9ef4d094113f8701", "b2527a9e74da5c87")


def test_an_archive() -> None:
    nodes = {
        "/bin": Node("program", "test"),
        "/bin/run": Node("program", "test", source=b"#!/bin/sh\n", executable=True),
        "/bin/sh": Node("program", "test", target="run"),
        "/note-ü": Node("program", "test", source=b"12345"),
    }
    out = io.BytesIO()
    cpio.write(out, sorted(nodes.items()))
    assert sha256(out.getvalue()) == "9d9d835596b19ebd"


def test_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, boot=b"\xeb" * 440, core=b"\xcc" * 1000, files=BOOT)
    raw = path.read_bytes()
    assert (len(raw), sha256(raw)) == (6242816, "629ef2e12cecc469")
