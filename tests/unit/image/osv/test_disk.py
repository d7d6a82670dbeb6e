"""The disk of an OSv image, read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nitro.image import manifest
from nitro.image.osv import artifact, disk
from nitro.image.osv.artifact import PAYLOAD, UNIT, Kernel
from nitro.image.osv.layout import Layout
from nitro.image.osv.segment import Segment
from nitro.image.rootfs import Node
from tests.unit.image.osv.kernel import TABLE, build

SEGMENT = Segment.parse(build())
KERNEL = Kernel("kernel ELF", SEGMENT, Layout.find(SEGMENT))
NODES = {
    "/a": Node("program", "test", source=b"a" * 100_000),
    "/b": Node("program", "test", target="a"),
}


def test_a_disk_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    digest = disk.write(path, KERNEL, "--rootfs=ramfs /a \N{GREEK SMALL LETTER ALPHA}", NODES)
    assert digest == manifest.digest(path)
    found = disk.read(path)
    assert found.command_line == "--rootfs=ramfs /a \N{GREEK SMALL LETTER ALPHA}"
    assert [(entry.name, entry.size) for entry in found.entries] == [("/a", 100_000), ("/b", 2)]
    assert len(found.segment.data) > 100_000
    with path.open("rb") as file:
        assert disk.is_osv(file)


def test_the_boot_sector_reads_all_of_it_in_whole_units(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, KERNEL, "x", NODES)
    data = path.read_bytes()
    units = int.from_bytes(data[0x10:0x12], "little")
    assert len(data) == PAYLOAD + units * UNIT
    assert data[PAYLOAD + (1 << 20) :][: len(SEGMENT.data)][TABLE + 17 : TABLE + 19] == b"/a"
    assert data[PAYLOAD + 0x18 : PAYLOAD + 0x21] == b"\x20\x00\x10\x00\0\0\0\0\xc3"


def test_the_kernels_own_boot_sector_is_used(tmp_path: Path) -> None:
    own = bytearray(disk.BOOT_SECTOR)
    own[0x1A0:0x1A3] = b"own"
    disk.write(tmp_path / "disk", replace(KERNEL, boot_sector=bytes(own)), "x", {})
    data = (tmp_path / "disk").read_bytes()
    assert data[0x1A0:0x1A3] == b"own"
    assert int.from_bytes(data[0x10:0x12], "little") == (len(data) - PAYLOAD) // UNIT


def test_the_same_inputs_make_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        disk.write(tmp_path / name, KERNEL, "x", NODES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_limit_of_the_command_line(tmp_path: Path) -> None:
    longest = "x" * disk.LONGEST_COMMAND_LINE
    disk.write(tmp_path / "disk", KERNEL, longest, {})
    assert disk.read(tmp_path / "disk").command_line == longest
    with pytest.raises(ValueError, match="has 32256 bytes, and OSv's disk has room for 32255"):
        disk.check_command_line(longest + "x")
    with pytest.raises(ValueError, match="NUL byte"):
        disk.check_command_line("a\0b")


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "ends in front"), (bytes(1 << 20), "nitro did not write it")]
)
def test_other_disks_are_refused(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(content)
    with pytest.raises(ValueError, match=what):
        disk.read(tmp_path / "disk")


def test_a_disk_is_no_kernel_to_start_from(tmp_path: Path) -> None:
    disk.write(tmp_path / "disk", KERNEL, "x", NODES)
    with pytest.raises(Exception, match="no compressed kernel"):
        artifact.read(tmp_path / "disk")
