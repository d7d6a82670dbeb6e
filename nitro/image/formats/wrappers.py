"""Files that hold a kernel or a disk in a form that nitro does not read, told by how they begin."""

from __future__ import annotations

from pathlib import Path

from nitro.errors import InputError

_LENGTH = 512  # bytes that tell
_TO_RAW = "qemu-img convert -O raw makes a disk of it that nitro reads"
_UNPACK = "unpack it first: {}"
# (place, bytes there, what it is, what to do)
_KINDS = (
    (0, b"\x1f\x8b\x08", "compressed by gzip", _UNPACK.format("gunzip")),
    (0, b"\xfd7zXZ\0", "compressed by xz", _UNPACK.format("unxz")),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK.format("unzstd")),
    (0, b"BZh", "compressed by bzip2", _UNPACK.format("bunzip2")),
    (0, b"PK\3\4", "a zip archive", _UNPACK.format("unzip")),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK.format("7z x")),
    (257, b"ustar", "a tar archive", _UNPACK.format("tar -xf")),
    (0, b"KDMV", "a VMDK disk", _TO_RAW),
    (0, b"# Disk DescriptorFile", "the description of a VMDK disk", _TO_RAW),
    (64, b"\x7f\x10\xda\xbe", "a VDI disk", _TO_RAW),
    (0, b"vhdxfile", "a VHDX disk", _TO_RAW),
    (0, b"conectix", "a VHD disk", _TO_RAW),
    (0, b"QED\0", "a QED disk", _TO_RAW),
    (56, b"ARM\x64", "a kernel for 64-bit ARM", "give one for x86-64"),
)


def refuse(path: Path, origin: str | None = None) -> None:
    """Raises InputError, with what to do, when the file at `path` is one of these.

    `origin` is what a person calls that file.
    """
    if not path.is_file():  # opening a FIFO would wait for its writer
        return
    try:
        with path.open("rb") as file:
            start = file.read(_LENGTH)
    except OSError:
        return
    for place, magic, what, remedy in _KINDS:
        if start.startswith(magic, place):
            raise InputError(f"{origin or path}: {what}, which nitro does not read", hint=remedy)
