"""The RAMFS inside an OSv kernel: read from the finished ELF file, and replaced there.

The kernel's data hold a table of 128-byte entries: size, offset of the content from the start of
the table, type, and an absolute name; an entry of zeros ends it. A directory's name ends with "/".
Contents may lie anywhere above the table. A new RAMFS has its table in the old one's place and its
contents, page by page, behind the kernel, which is told that it ends later: by the operand of the
one instruction that says where free memory starts, and by its only loaded segment.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

NAME_MAX = 110
"""Bytes of a name."""

_ENTRY = struct.Struct("<QQB111s")
_FILE, _LINK = 0, 1
_PAGE = 4096

# The kernel maps the first GiB of physical memory early, and so many bytes above its addresses.
_MAPPED, _TO_VIRTUAL = 1 << 30, 0x40000000

# Elf64_Ehdr: e_phoff and e_phentsize, e_phnum; Elf64_Phdr as far as p_memsz.
_EHDR_PHDRS, _EHDR_PHENT = struct.Struct("<Q"), struct.Struct("<HH")
_PHDR = struct.Struct("<IIQQQQQ")
_PHOFF, _SHOFF, _PHENTSIZE, _SHNUM = 32, 40, 54, 60
_PT_LOAD = 1


@dataclass(frozen=True)
class Node:
    """A file (`content`), a symbolic link (`target`) or, with neither, a directory."""

    content: bytes | None = None
    target: str | None = None


@dataclass(frozen=True)
class Layout:
    """Two addresses of a kernel: the RAMFS's table, and the end, where free memory starts."""

    table: int
    end: int


def layout_from_symbols(unstripped: Path) -> Layout:
    """The layout by the symbols of the kernel's ELF file as the linker wrote it.

    Raises ValueError when they are not there.
    """
    with unstripped.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        found = {}
        for name in ("bootfs_start", ".edata"):
            symbol = symbols.get_symbol_by_name(name) if symbols else None
            if not symbol:
                raise ValueError(f"{unstripped} has no symbol {name}")
            found[name] = int(symbol[0]["st_value"])
    return Layout(found["bootfs_start"], found[".edata"])


def read(kernel: bytes, layout: Layout) -> dict[str, Node]:
    """The RAMFS of a kernel's ELF file: absolute name (of directories without "/") → node.

    Raises ValueError when there is none at `layout`.
    """
    return _read(kernel, layout.table - _Segment.find(kernel).base)[0]


def replace(kernel: bytes, layout: Layout, nodes: dict[str, Node]) -> bytes:
    """The ELF file of the same kernel with `nodes` as its RAMFS, and without section headers.

    Raises ValueError when the kernel is not put together as expected, or `nodes` do not fit.
    """
    segment = _Segment.find(kernel)
    table = layout.table - segment.base
    _, room = _read(kernel, table)
    if (len(nodes) + 1) * _ENTRY.size > room:
        raise ValueError(f"the RAMFS has no room for {len(nodes)} names")
    end = layout.end - segment.base
    if end < segment.end:
        raise ValueError(f"the kernel ends at {layout.end:#x}, before its own bytes do")
    contents = sum(len(node.content or b"") + _PAGE for node in nodes.values())
    if layout.end + contents - _TO_VIRTUAL > _MAPPED:
        raise ValueError("kernel and RAMFS reach beyond the first GiB of memory")
    # What the kernel would clear at boot lies in front of the contents: it is in the file now.
    image = bytearray(kernel[: segment.end])
    image.extend(bytes(end - len(image)))
    image[table : table + room] = bytes(room)
    for number, (name, node) in enumerate(_entries(nodes)):
        kind, content = _content(node)
        image.extend(bytes(-len(image) % _PAGE))
        at = len(image) - table
        image.extend(content)
        _ENTRY.pack_into(image, table + number * _ENTRY.size, len(content), at, kind, name)
    image.extend(bytes(-len(image) % _PAGE))
    _move_end(image, layout.end, segment.base + len(image))
    size = len(image) - segment.offset
    struct.pack_into("<QQ", image, segment.header + _PHDR.size - 16, size, size)
    _EHDR_PHDRS.pack_into(image, _SHOFF, 0)
    _EHDR_PHENT.pack_into(image, _SHNUM, 0, 0)
    return bytes(image)


@dataclass(frozen=True)
class _Segment:
    """The one loaded segment: where its header is, `base` = address - place in the file."""

    header: int
    offset: int
    base: int
    end: int

    @classmethod
    def find(cls, kernel: bytes) -> _Segment:
        if kernel[:6] != b"\x7fELF\2\1" or len(kernel) < 64:
            raise ValueError("not a 64-bit ELF file")
        [first] = _EHDR_PHDRS.unpack_from(kernel, _PHOFF)
        size, count = _EHDR_PHENT.unpack_from(kernel, _PHENTSIZE)
        found = []
        for header in (first + number * size for number in range(count)):
            if header + _PHDR.size > len(kernel):
                raise ValueError("the program headers lie outside the file")
            kind, _, offset, address, _, stored, _ = _PHDR.unpack_from(kernel, header)
            if kind == _PT_LOAD:
                found.append(cls(header, offset, address - offset, offset + stored))
        if len(found) != 1 or found[0].end > len(kernel):
            raise ValueError(f"{len(found)} whole segments to load, where an OSv kernel has one")
        return found[0]


def _read(kernel: bytes, table: int) -> tuple[dict[str, Node], int]:
    """The nodes, and how many bytes the table takes with the contents that directly follow it."""
    nodes: dict[str, Node] = {}
    spans = []
    at = table
    while True:
        if not 0 <= at <= len(kernel) - _ENTRY.size:
            raise ValueError(f"no RAMFS: an entry at {at:#x} lies outside the file")
        size, offset, kind, raw = _ENTRY.unpack_from(kernel, at)
        at += _ENTRY.size
        name = raw.partition(b"\0")[0]
        if not name:
            break
        end = table + offset + size
        if not name.startswith(b"/") or kind not in (_FILE, _LINK) or end > len(kernel):
            raise ValueError(f"no RAMFS: {name!r} is not the name of a file in the kernel")
        path, node = _node(name, kind, kernel[table + offset : end])
        nodes[path] = node
        spans.append((offset, offset + size))
    room = at - table
    for start, end in sorted(spans):
        # What an earlier replacement put behind the kernel is no room for the table.
        if start < room + _PAGE:
            room = max(room, end)
    return nodes, room


def _node(name: bytes, kind: int, content: bytes) -> tuple[str, Node]:
    path = name.decode(errors="surrogateescape")
    if kind == _LINK:
        return path, Node(target=content.rstrip(b"\0").decode(errors="surrogateescape"))
    if path.endswith("/") and not content:
        return path.rstrip("/") or "/", Node()
    return path, Node(content)


def _entries(nodes: dict[str, Node]) -> Iterable[tuple[bytes, Node]]:
    for path, node in sorted(nodes.items()):
        directory = node.content is None and node.target is None
        name = (path.rstrip("/") + "/" if directory else path).encode(errors="surrogateescape")
        if not name.startswith(b"/") or b"\0" in name:
            raise ValueError(f"{path!r} is not an absolute path")
        if len(name) > NAME_MAX:
            raise ValueError(f"{path} is longer than {NAME_MAX} bytes")
        yield name, node


def _content(node: Node) -> tuple[int, bytes]:
    if node.target is not None:
        return _LINK, node.target.encode(errors="surrogateescape") + b"\0"
    return _FILE, node.content or b""


def _move_end(kernel: bytearray, old: int, new: int) -> None:
    """Change the one `movl $end, variable(%rip)`, after which memory is free."""
    pattern = rb"\xc7\x05....(?=" + re.escape(struct.pack("<I", old)) + rb")"
    places = [match.end() for match in re.finditer(pattern, kernel, re.DOTALL)]
    if len(places) != 1:
        raise ValueError(f"{len(places)} instructions store the end {old:#x}, not one")
    struct.pack_into("<I", kernel, places[0], new)
