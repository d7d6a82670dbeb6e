"""Disks of other formats. Those that qemu-img makes are read in the slow tests."""

from __future__ import annotations

import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

from nitro.errors import NitroError
from nitro.local import disk_formats


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("VMDK", "subformat=streamOptimized"),
        ("VMDK", "subformat=monolithicSparse"),
        ("VHD", "subformat=dynamic"),
        ("VHD", "subformat=fixed"),
        ("VHDX", "subformat=dynamic"),
    ],
)
def test_a_disk_of_another_format_is_read_whole(tmp_path: Path, kind: str, options: str) -> None:
    program, raw = disk_formats.find(), tmp_path / "disk.raw"
    content = random.Random(5).randbytes(3 << 20) + bytes(5 << 20) + b"end".ljust(1 << 20, b"\0")
    raw.write_bytes(content)
    made, back = tmp_path / "made", tmp_path / "back"
    form = disk_formats.FORMATS[kind]
    line = [*program, "convert", "-f", "raw", "-O", form, "-o", options, str(raw), str(made)]
    subprocess.run(line, check=True)
    disk_formats.to_raw(program, made, kind, back)
    # VHD rounds sizes up to whole cylinders.
    assert back.read_bytes().rstrip(b"\0") == content.rstrip(b"\0")
    assert back.stat().st_size >= len(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"KDM",
        b'# Disk DescriptorFile\nRW 8 FLAT "/etc/passwd" 0\n',
        b"KDMV" + bytes(16),  # without a capacity: a list of other files
    ],
)
def test_a_vmdk_that_names_other_files_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    with pytest.raises(NitroError, match="one file"):
        disk_formats.to_raw(["false"], source, "VMDK", tmp_path / "raw")


def test_a_difference_to_another_disk_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 8, 128, 1, 1)
    for parent, refused in ((b"5e2ca493", True), (b"FFFFFFFF", False)):
        text = b"\n" + b'CID=1\nparentCID=%b\nparentFileNameHint="/etc/passwd"\n' % parent
        source.write_bytes(header.ljust(512, b"\0") + text.rjust(512, b"#"))
        reason = "a difference to another disk" if refused else "not read as VMDK"
        with pytest.raises(NitroError, match=reason):
            disk_formats.to_raw(["false"], source, "VMDK", tmp_path / "raw")


def test_a_disk_that_is_read_for_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, source = tmp_path / "slow", tmp_path / "source"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    source.write_bytes(b"a disk")
    monkeypatch.setattr(disk_formats, "_MINUTES", 0.001)
    with pytest.raises(NitroError, match="the VHD disk was not read within"):
        disk_formats.to_raw([str(program)], source, "VHD", tmp_path / "raw")


@pytest.mark.extended
def test_a_description_costs_no_more_than_its_size(tmp_path: Path) -> None:
    source, size = tmp_path / "source", 1 << 20
    header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 8, 128, 1, size // 512)
    source.write_bytes(header.ljust(512, b"\0") + b"\n" * size)
    with pytest.raises(NitroError, match="not read as VMDK"):
        disk_formats.to_raw(["false"], source, "VMDK", tmp_path / "raw")


def test_a_disk_of_more_than_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_formats, "LARGEST_DISK", 4096)
    source, raw = tmp_path / "source", tmp_path / "raw"
    for size, fits in ((4096, True), (4097, False)):
        source.write_bytes(bytes(size))
        copies = ["sh", "-c", 'tail -c +1 "$6" > "$7"', "sh"]
        if fits:
            disk_formats.to_raw(copies, source, "VHDX", raw)
            assert raw.stat().st_size == size
        else:
            with pytest.raises(NitroError, match=r"not read as VHDX: .*File too large"):
                disk_formats.to_raw(copies, source, "VHDX", raw)


@pytest.mark.slow
def test_a_parent_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the check of the description has missed it."""
    program = disk_formats.find()
    raw, base, child = tmp_path / "raw", tmp_path / "base.vmdk", tmp_path / "child.vmdk"
    raw.write_bytes(b"of this machine".ljust(1 << 20, b"x"))
    subprocess.run([*program, "convert", "-f", "raw", "-O", "vmdk", raw, base], check=True)
    create = ["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", str(base), str(child)]
    subprocess.run([*program, *create], check=True)
    with pytest.raises(NitroError, match="a difference to another disk"):
        disk_formats.to_raw(program, child, "VMDK", tmp_path / "back")
    monkeypatch.setattr(disk_formats, "_PARENT", re.compile(rb"(?!)"))
    disk_formats.to_raw(program, child, "VMDK", tmp_path / "back")
    assert not (tmp_path / "back").read_bytes().strip(b"\0")


def test_what_qemu_img_says_is_passed_on(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"no disk")
    complains = ["sh", "-c", 'echo "could not open $6: bad" >&2; exit 1', "sh"]
    with pytest.raises(NitroError, match="not read as VHD: could not open the disk: bad"):
        disk_formats.to_raw(complains, source, "VHD", tmp_path / "raw")
