"""Files for a prebuilt OSv kernel: a copy of its ELF file with another RAMFS.

The RAMFS is a table in the kernel's data, 128 bytes an entry (size, offset of the content from
the table's begin, type, name), closed by zeros. Here the table is written anew in its place; the
contents go behind the kernel, which is told that it ends later.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

from elftools.elf.elffile import ELFFile

_ENTRY = struct.Struct("<QQB111s")
_PAGE = 4096
_FILE = 0


def compose(tree: Path, files: Mapping[str, bytes], out: Path) -> None:
    """Write the kernel built in the OSv source tree `tree` to `out`, with `files` in it.

    `files`: content by absolute path; what the RAMFS held before stays. Raises ValueError when the
    kernel is not put together as expected.
    """
    built = tree / "build" / "last"
    with (built / "loader.elf").open("rb") as file:
        start, end = (_symbol(ELFFile(file), name) for name in ("bootfs_start", ".edata"))
    with (built / "loader-stripped.elf").open("rb") as file:
        elf = ELFFile(file)
        number, load = next((n, s) for n, s in enumerate(elf.iter_segments()) if _loads(s))
        header = elf["e_phoff"] + number * elf["e_phentsize"]
        base = load["p_vaddr"] - load["p_offset"]
    kernel = bytearray((built / "loader-stripped.elf").read_bytes())
    table = start - base
    room, entries = _read(kernel, table)
    entries = [e for e in entries if e[1] not in files]
    entries += [(_FILE, name, content) for name, content in files.items()]
    if (len(entries) + 1) * _ENTRY.size > room:
        raise ValueError(f"the RAMFS has no room for {len(entries)} names")

    del kernel[load["p_offset"] + load["p_filesz"] :]
    kernel.extend(bytes(end - base - len(kernel)))  # what was cleared at boot is in the file now
    kernel[table : table + room] = bytes(room)
    for n, (kind, name, content) in enumerate(entries):
        kernel.extend(bytes(-len(kernel) % _PAGE))
        entry = _ENTRY.pack(len(content), len(kernel) - table, kind, name.encode())
        kernel[table + n * _ENTRY.size : table + (n + 1) * _ENTRY.size] = entry
        kernel.extend(content)
    kernel.extend(bytes(-len(kernel) % _PAGE))
    _move_end(kernel, end, base + len(kernel))
    size = len(kernel) - load["p_offset"]
    struct.pack_into("<QQ", kernel, header + 32, size, size)  # in the file, in memory
    struct.pack_into("<Q", kernel, 40, 0)  # section headers are gone
    struct.pack_into("<HH", kernel, 60, 0, 0)
    out.write_bytes(kernel)


def _symbol(elf: ELFFile, name: str) -> int:
    symbols = elf.get_section_by_name(".symtab")
    found = symbols.get_symbol_by_name(name) if symbols else None
    if not found:
        raise ValueError(f"loader.elf has no symbol {name}")
    return int(found[0]["st_value"])


def _loads(segment: object) -> bool:
    return bool(segment["p_type"] == "PT_LOAD")  # type: ignore[index]


def _read(kernel: bytearray, table: int) -> tuple[int, list[tuple[int, str, bytes]]]:
    """The bytes that table and contents take, and (type, name, content) of each entry."""
    entries: list[tuple[int, str, bytes]] = []
    room = _ENTRY.size
    while True:
        size, offset, kind, name = _ENTRY.unpack_from(kernel, table + len(entries) * _ENTRY.size)
        if not name.rstrip(b"\0"):
            return room, entries
        content = bytes(kernel[table + offset : table + offset + size])
        entries.append((kind, name.rstrip(b"\0").decode(), content))
        room = max(room, offset + size)


def _move_end(kernel: bytearray, old: int, new: int) -> None:
    """Change the one `movl $end, variable(%rip)`, after which memory is free."""
    pattern = rb"\xc7\x05....(?=" + re.escape(struct.pack("<I", old)) + rb")"
    places = [match.end() for match in re.finditer(pattern, kernel, re.DOTALL)]
    if len(places) != 1:
        raise ValueError(f"{len(places)} places tell where the kernel ends, not one")
    struct.pack_into("<I", kernel, places[0], new)
