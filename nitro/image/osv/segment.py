"""An OSv kernel's ELF file: its one loaded segment, which begins with the ELF header itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import cached_property

from nitro.image.formats import symbols

# Elf64_Ehdr: e_phoff and e_phentsize, e_phnum; Elf64_Phdr as far as p_memsz.
_EHDR_PHDRS, _EHDR_PHENT = struct.Struct("<Q"), struct.Struct("<HH")
_PHDR = struct.Struct("<IIQQQQQ")
_ENTRY, _PHOFF, _SHOFF, _PHENTSIZE, _SHNUM = 24, 32, 40, 54, 60
_X86_64 = 62
_PT_LOAD, _PT_NOTE = 1, 4
# Elf64_Nhdr, and the note with which Xen's tools name an entry point for PVH (type 18).
_NOTE, _PVH = struct.Struct("<III"), (4, b"Xen\0", 18)

LINKED_ABOVE_PHYSICAL = 0x40000000
"""How far a kernel's addresses lie above those of physical memory."""

_TOP = 1 << 32  # what its code has for an address: 32 bits

START32 = 0x800
"""The place in the kernel of the address (u32) that a boot sector jumps to."""


@dataclass(frozen=True)
class Segment:
    """The loaded part of a kernel: `data` from the ELF header to the last byte that is stored.

    `header` is the place of its program header in `data`, `address` where it is loaded to, and
    `memory` how many bytes it takes there, with what is cleared at boot.
    """

    data: bytes
    header: int
    address: int
    memory: int

    @classmethod
    def parse(cls, elf: bytes) -> Segment:
        """Raises ValueError when `elf` is not put together as an OSv kernel is."""
        if elf[:6] != b"\x7fELF\2\1" or len(elf) < 64:
            raise ValueError("not a 64-bit ELF file")
        if int.from_bytes(elf[18:20], "little") != _X86_64:
            raise ValueError("an ELF file for another processor than x86-64")
        [first] = _EHDR_PHDRS.unpack_from(elf, _PHOFF)
        size, count = _EHDR_PHENT.unpack_from(elf, _PHENTSIZE)
        loaded = []
        for header in (first + number * size for number in range(count)):
            if header + _PHDR.size > len(elf):
                raise ValueError("the program headers lie outside the file")
            kind, _, *fields = _PHDR.unpack_from(elf, header)
            if kind == _PT_LOAD:
                loaded.append((header, *fields))
        if len(loaded) != 1:
            raise ValueError(f"{len(loaded)} segments to load, where an OSv kernel has one")
        header, offset, address, _, stored, memory = loaded[0]
        if offset or stored > len(elf):
            raise ValueError("the loaded segment is not the whole start of the file")
        if memory < stored or address < LINKED_ABOVE_PHYSICAL or address + memory > _TOP:
            raise ValueError(f"loaded to {address:#x}, where no OSv kernel is")
        return cls(elf[:stored], header, address, memory)

    @property
    def end(self) -> int:
        """The address behind what the segment takes in memory."""
        return self.address + self.memory

    def without_sections(self) -> bytes:
        """The ELF file of the segment alone: no section headers, symbols or debug information."""
        return bytes(self.resized(len(self.data), self.memory))

    def resized(self, stored: int, memory: int) -> bytearray:
        """`data` with headers that say how many bytes are stored and taken in memory."""
        data = bytearray(self.data)
        struct.pack_into("<QQ", data, self.header + _PHDR.size - 16, stored, memory)
        _EHDR_PHDRS.pack_into(data, _SHOFF, 0)
        _EHDR_PHENT.pack_into(data, _SHNUM, 0, 0)
        return data

    @property
    def entry(self) -> int:
        """Where the ELF header says that the kernel starts."""
        return int.from_bytes(self.data[_ENTRY : _ENTRY + 8], "little")

    @property
    def bios_entry(self) -> int:
        """Where a boot sector jumps to; 0 when the kernel does not say."""
        return int.from_bytes(self.data[START32 : START32 + 4], "little")

    @cached_property
    def pvh_entry(self) -> int | None:
        """Where QEMU's -kernel starts it, by a note; None when there is none."""
        [first] = _EHDR_PHDRS.unpack_from(self.data, _PHOFF)
        size, count = _EHDR_PHENT.unpack_from(self.data, _PHENTSIZE)
        for number in range(count):
            header = first + number * size
            if header + _PHDR.size > len(self.data):
                break
            kind, _, offset, _, _, length, _ = _PHDR.unpack_from(self.data, header)
            if kind == _PT_NOTE and offset + length <= len(self.data):
                found = _find_pvh(self.data[offset : offset + length])
                if found is not None:
                    return found
        return None

    @cached_property
    def exports(self) -> symbols.Exports:
        """The dynamic symbols, to be asked for one by one: there are 15,000."""
        return symbols.Exports(self.data)

    @cached_property
    def symbols(self) -> dict[str, int]:
        """What the kernel offers to programs: the names and addresses of its dynamic symbols.

        Empty when it has none that can be read.
        """
        try:
            return symbols.read(self.data).defined
        except ValueError:
            return {}

    def with_bytes(self, address: int, code: bytes) -> Segment:
        """The same with other bytes at an address."""
        at = address - self.address
        return replace(self, data=self.data[:at] + code + self.data[at + len(code) :])


def _find_pvh(notes: bytes) -> int | None:
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        name = at + _NOTE.size
        content = name + name_size + -name_size % 4
        if (name_size, notes[name : name + name_size], kind) == _PVH and size in (4, 8):
            return int.from_bytes(notes[content : content + size], "little")
        at = content + size + -size % 4
    return None
