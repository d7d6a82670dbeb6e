"""Virtual disks of other formats as raw ones, by qemu-img.

https://docs.aws.amazon.com/vm-import/latest/userguide/prerequisites.html (the formats of VM Import)
"""

from __future__ import annotations

import json
import re
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
FORMATS: Mapping[str, str] = {"VHD": "vpc", "VHDX": "vhdx", "VMDK": "vmdk"}
# magic, version, flags, capacity, grain size; offset and size of the description, in sectors
_VMDK = struct.Struct("<4sIIQQQQ")
_LARGEST_DESCRIPTION = 1 << 20
_PARENT = re.compile(rb"[ \t]*parentCID[ \t]*=[ \t]*([0-9a-fA-F]+)")
_NO_PARENT = b"ffffffff"
_MINUTES = 30
LARGEST_DISK = 16 << 40  # bytes; a few of VHDX describe 64 TiB, which take hours to go through
_LIMITED = 'trap "" XFSZ; ulimit -f "$0" 2>&-; exec "$@"'  # in units of 512 bytes


def find(report: Reporter | None = None) -> list[str]:
    """The start of qemu-img's command line: the machine's, else Debian's in the cache."""
    installed = shutil.which(PROGRAM)
    return [installed] if installed else debian.tree(PACKAGES, report=report).program(PROGRAM)


def to_raw(program: Sequence[str], source: Path, kind: str, target: Path) -> None:
    """Write the disk `source`, of a format in `FORMATS`, to `target` as a raw one.

    NitroError for a file that is no such disk, that has more than `LARGEST_DISK` bytes, or that
    names other files as its content: those would be this machine's.
    """
    line = [*program, "convert", "-f", FORMATS[kind], "-O", "raw", str(source), str(target)]
    if kind == "VMDK":
        _check_vmdk(source)
        line = [*program, "convert", "-O", "raw", _without_parent(source), str(target)]
    line = ["sh", "-c", _LIMITED, str(LARGEST_DISK // 512), *line]
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
        magic, _, _, capacity, _, offset, size = _VMDK.unpack(start.ljust(_VMDK.size, b"\0"))
        if magic != b"KDMV" or not capacity:
            raise NitroError("the disk is no VMDK with its content in one file")
        file.seek(min(offset * 512, source.stat().st_size))
        description = file.read(min(size * 512, _LARGEST_DESCRIPTION))
    parents = (_PARENT.match(line) for line in description.splitlines())
    if any(parent and parent[1].lower() != _NO_PARENT for parent in parents):
        raise NitroError("the VMDK is a difference to another disk; export a whole one")


def _without_parent(source: Path) -> str:
    """The disk as qemu-img is to open it: whatever its end or its description says, alone."""
    file = {"driver": "file", "filename": str(source)}
    return "json:" + json.dumps({"driver": FORMATS["VMDK"], "backing": None, "file": file})
