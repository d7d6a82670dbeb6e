"""Virtual disks of other formats as raw ones, by qemu-img.

https://docs.aws.amazon.com/vm-import/latest/userguide/prerequisites.html (the formats of VM Import)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nitro import debian
from nitro.errors import NitroError
from nitro.progress import Reporter

PROGRAM, PACKAGES = "qemu-img", debian.Wanted(("qemu-utils",))

#: as ImportSnapshot calls them → as qemu-img does
FORMATS: Mapping[str, str] = {"VHD": "vpc", "VMDK": "vmdk"}
_VMDK = struct.Struct("<4sIIQ")  # magic, version, flags, capacity
_MINUTES = 30


def find(report: Reporter | None = None) -> list[str]:
    """The start of qemu-img's command line: the machine's, else Debian's in the cache."""
    installed = shutil.which(PROGRAM)
    return [installed] if installed else debian.tree(PACKAGES, report=report).program(PROGRAM)


def to_raw(program: Sequence[str], source: Path, kind: str, target: Path) -> None:
    """Write the disk `source`, of a format in `FORMATS`, to `target` as a raw one.

    NitroError for a file that is no such disk, or that names other files as its content: those
    would be this machine's.
    """
    if kind == "VMDK":
        _check_vmdk(source)
    line = [*program, "convert", "-f", FORMATS[kind], "-O", "raw", str(source), str(target)]
    try:
        done = subprocess.run(line, capture_output=True, check=False, timeout=_MINUTES * 60)
    except subprocess.TimeoutExpired:
        raise NitroError(f"the {kind} disk was not read within {_MINUTES} minutes") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        reason = said[-1].replace(str(source), "the disk")
        raise NitroError(f"the disk is not read as {kind}: {reason}")


def _check_vmdk(source: Path) -> None:
    """A sparse VMDK has its content in itself; every other kind is a list of files."""
    with source.open("rb") as file:
        start = file.read(_VMDK.size)
    if len(start) == _VMDK.size:
        magic, _, _, capacity = _VMDK.unpack(start)
        if magic == b"KDMV" and capacity:
            return
    raise NitroError("the disk is no VMDK with its content in one file")
