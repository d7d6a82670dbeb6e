"""What OSv builds and releases hold, read down to the kernel in it.

A kernel's ELF file, stripped or not; the same behind a header of Linux's boot protocol
(`vmlinuz.bin`); the program that unpacks a compressed one (`lzloader.elf`); a loader image or a
whole disk (`usr.img`), raw or qcow2: the boot sector, and from sector 128 on what it reads, such a
program. Of a disk only what its boot sector reads is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from nitro.errors import InputError
from nitro.image.formats import qcow2, wrappers
from nitro.image.osv import fastlz
from nitro.image.osv.layout import Entry, Layout, read_table
from nitro.image.osv.segment import Segment

SECTOR = 512
UNIT = 32 << 10
"""Bytes that a boot sector reads at once."""
COUNT = 0x10
"""The place in a boot sector of the number of units that it reads (u16)."""
PAYLOAD = 128 * SECTOR

# Linux's boot protocol: its header's magic number, and that of the sectors that belong to it but
# for the first. OSv's is followed by 1 KiB with a jump into the kernel's ELF file behind that.
# https://docs.kernel.org/arch/x86/boot.html
_PROTOCOL, _PROTOCOL_AT, _SETUP_SECTORS_AT = b"HdrS", 0x202, 0x1F1
_JUMP = 1 << 10
START = 1 << 10
"""Bytes of a file by which `is_kernel` tells."""
_ELF, _ELF_32 = b"\x7fELF", b"\x7fELF\1"

_LARGEST = 1 << 30  # a kernel lies below the first GiB of memory
_LARGEST_PACKED = 256 << 20
_Read = Callable[[int, int], bytes]

_RELEASE = re.compile(rb"OSv (v?[0-9][\x21-\x7e]*)")
# The name that C++ gives the type of a driver, for its run-time type information, and what people
# call the driver.
_DRIVERS = {
    b"N3aws3enaE": "ena",
    b"N6virtio3netE": "virtio-net",
    b"N6virtio3blkE": "virtio-blk",
    b"N6virtio4scsiE": "virtio-scsi",
    b"N6virtio3rngE": "virtio-rng",
    b"N4nvme6driverE": "nvme",
    b"N4ahci3hbaE": "ahci",
    b"N3ide9ide_driveE": "ide",
    b"N3vmw7vmxnet3E": "vmxnet3",
    b"N3vmw6pvscsiE": "pvscsi",
    b"N8xenfront6xenbusE": "xenfront",
}
# aws::ena::probe(hw::hw_device*), and `xor %eax, %eax; ret`
_PROBE, _RETURN_NULL = "_ZN3aws3ena5probeEPN2hw9hw_deviceE", b"\x31\xc0\xc3"


@dataclass(frozen=True)
class Kernel:
    """A kernel of which nothing but the binary is at hand.

    `kind` is what it came as; `boot_sector` that of the disk that it was in, if it was in one.
    """

    kind: str
    segment: Segment
    layout: Layout
    boot_sector: bytes | None = None

    @cached_property
    def version(self) -> str:
        """As the kernel prints it when it starts; "unknown" when it does not say."""
        return version(self.segment)

    @cached_property
    def entries(self) -> list[Entry]:
        """The files of its RAMFS."""
        return read_table(self.segment.data, self.layout.table)

    @cached_property
    def drivers(self) -> list[str]:
        """Of the drivers that nitro can name, those that are in it."""
        data = self.segment.data
        return sorted(name for kind, name in _DRIVERS.items() if kind + b"\0" in data)

    def without_own_ena(self) -> Kernel:
        """The kernel with its own ENA driver finding no card: its `probe` returns at once.

        Raises ValueError when the kernel does not export that function.
        """
        address = self.segment.exports.address(_PROBE)
        if address is None:
            raise ValueError(f"it does not export {_PROBE}")
        return replace(self, segment=self.segment.with_bytes(address, _RETURN_NULL))

    @property
    def boot_entries(self) -> list[str]:
        """The ways into it: "bios" and "pvh"."""
        ways = {"bios": self.segment.bios_entry, "pvh": self.segment.pvh_entry}
        return [way for way, entry in ways.items() if entry]


def version(segment: Segment) -> str:
    """The version that a kernel prints; "unknown" when it does not say."""
    found = _RELEASE.search(segment.data)
    return found[1].decode() if found else "unknown"


def read(path: Path, origin: str | None = None) -> Kernel:
    """The kernel in the file at `path`; `origin` is what a person calls that file.

    Raises InputError, with what was looked for and where, for anything else.
    """
    try:
        if not path.is_file() and path.exists():  # opening a FIFO would wait for its writer
            raise ValueError("not a regular file")
        with path.open("rb") as file:
            kind, elf, boot_sector = _open(file)
        segment = Segment.parse(elf)
        return Kernel(kind, segment, Layout.find(segment), boot_sector)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint="check the path") from None
    except ValueError as error:
        wrappers.refuse(path, origin)
        raise InputError(
            f"{origin or path}: not an OSv kernel that nitro knows: {error}",
            hint="give loader.elf, vmlinuz.bin, loader.img or usr.img of an x86-64 build, a disk "
            "as qemu-img convert -O raw writes it",
        ) from None


def is_kernel(start: bytes) -> bool:
    """Whether a file that begins so (START bytes of it) is a kernel rather than a disk."""
    return start.startswith(_ELF) or _is_vmlinuz(start)


def _is_vmlinuz(start: bytes) -> bool:
    return start.startswith(_PROTOCOL, _PROTOCOL_AT)


def _open(file: BinaryIO) -> tuple[str, bytes, bytes | None]:
    """What the file is, the kernel's ELF file, and the boot sector."""
    start = file.read(START)
    if start.startswith(_ELF_32):
        return "compressed kernel", _unpacked(_from(file, 0), "that are in it"), None
    if start.startswith(_ELF):
        return "kernel ELF", _from(file, 0), None
    if _is_vmlinuz(start):
        return "vmlinuz", _from_vmlinuz(file, start[_SETUP_SECTORS_AT]), None
    if start.startswith(qcow2.MAGIC):
        return ("disk image (qcow2)", *_from_disk(qcow2.Qcow2(file).read))

    def read_raw(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return ("disk image (raw)", *_from_disk(read_raw))


def _from(file: BinaryIO, offset: int) -> bytes:
    """The file from an offset on, as far as a kernel can reach."""
    file.seek(offset)
    return file.read(_LARGEST)


def _from_vmlinuz(file: BinaryIO, setup_sectors: int) -> bytes:
    offset = (1 + setup_sectors) * SECTOR + _JUMP
    elf = _from(file, offset)
    if not elf.startswith(_ELF):
        raise ValueError(
            f"a kernel for Linux's boot protocol (vmlinuz), but no ELF file at its byte {offset}, "
            "where OSv's is"
        )
    return elf


def check_boot_sector(sector: bytes) -> bytes:
    """The same. Raises ValueError for what is none."""
    if len(sector) != SECTOR or sector[-2:] != b"\x55\xaa":
        raise ValueError("neither an ELF file nor a disk with a boot sector (55 aa at byte 510)")
    return sector


def _from_disk(read_at: _Read) -> tuple[bytes, bytes]:
    boot_sector = check_boot_sector(read_at(0, SECTOR))
    units = int.from_bytes(boot_sector[COUNT : COUNT + 2], "little")
    payload = read_at(PAYLOAD, min(units * UNIT, _LARGEST_PACKED))
    if not payload:
        raise ValueError(f"no bytes where a boot sector of OSv's reads from (byte {PAYLOAD})")
    return _unpacked(payload, "that the boot sector reads"), boot_sector


def _unpacked(payload: bytes, which: str) -> bytes:
    """The kernel that the program of OSv's loader image has in it, which starts it."""
    elf = fastlz.unpack_segments(payload)
    if elf is None:
        raise ValueError(
            f"no compressed kernel in the {len(payload)} bytes {which}; "
            "looked for a table of segments of a MiB"
        )
    return elf
