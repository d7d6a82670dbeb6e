"""Disks of other formats. Those that qemu-img makes are read in the slow tests."""

from __future__ import annotations

import random
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


def test_what_qemu_img_says_is_passed_on(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"no disk")
    complains = ["sh", "-c", 'echo "could not open $6: bad" >&2; exit 1', "sh"]
    with pytest.raises(NitroError, match="not read as VHD: could not open the disk: bad"):
        disk_formats.to_raw(complains, source, "VHD", tmp_path / "raw")
