"""Composes a kernel with another RAMFS: in the old one's place, or grown.

Contents begin at pages, as programs map them. What fits into the room of the old RAMFS goes there.
What does not goes behind the kernel, and only the table into the old place: the memory that the
kernel clears at boot is then stored as zeros, the one instruction that tells the allocator where
free memory starts gets another operand, and the loaded segment ends later. The kernel still clears
no more than its own memory. A table of more entries than the old place has room for goes behind the
kernel, too, where the instructions that unpack it are told to look.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nitro.errors import InputError
from nitro.image.osv.layout import ENTRY, FILE, LINK, MAPPED, NAME_MAX, Entry, Layout
from nitro.image.osv.segment import LINKED_ABOVE_PHYSICAL, Segment
from nitro.image.rootfs import Node

_PAGE = 4096
_OPERAND = struct.Struct("<I")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Planned:
    """An entry and where in the kernel's file its content goes."""

    name: bytes
    kind: int
    content: bytes | Path
    size: int
    place: int


@dataclass(frozen=True)
class Composed:
    """A kernel's ELF file with another RAMFS, of `size` bytes.

    `kernel` is its start, with the table at the place `table`; of `contents`, in the order of their
    places, what does not lie behind that goes into it.
    """

    kernel: bytearray
    table: int
    contents: list[_Planned]
    size: int

    def chunks(self) -> Iterator[bytes | bytearray]:
        """The file's bytes in order. Raises InputError when a file has changed meanwhile."""
        end = len(self.kernel)
        inside = [entry for entry in self.contents if entry.place < end]
        for entry in inside:
            self.kernel[entry.place : entry.place + entry.size] = b"".join(_blocks(entry))
        yield self.kernel
        for entry in self.contents[len(inside) :]:
            yield bytes(entry.place - end)
            yield from _blocks(entry)
            end = entry.place + entry.size
        yield bytes(self.size - end)


def compose(segment: Segment, layout: Layout, nodes: Mapping[str, Node]) -> Composed:
    """The kernel with `nodes` (absolute path → node). Raises InputError when they do not fit."""
    entries = list(_entries(nodes))
    if len(entries) > layout.capacity:
        raise InputError(
            f"{len(entries)} files, and this kernel's RAMFS has room for {layout.capacity}",
            hint="leave some out with exclude, or add a kernel built with more in its RAMFS",
        )
    table = layout.table
    planned, end = _in_place(layout, entries)
    if end <= table + layout.room:
        data = segment.resized(len(segment.data), segment.memory)
    else:
        data, table, planned, end = _grown(segment, layout, entries)
    data[layout.table : layout.table + layout.room] = bytes(layout.room)
    for number, entry in enumerate(planned):
        at = table + number * ENTRY.size
        ENTRY.pack_into(data, at, entry.size, entry.place - table, entry.kind, entry.name)
    return Composed(data, table, planned, max(len(data), end))


def fits(layout: Layout, nodes: Mapping[str, Node]) -> bool:
    """Whether `nodes` fit into the place of the old RAMFS. Raises InputError as `compose`."""
    return _in_place(layout, list(_entries(nodes)))[1] <= layout.table + layout.room


def read(segment: Segment, entries: Iterable[Entry]) -> dict[str, Node]:
    """Files, links and folders of a kernel, to be written again: absolute path → node."""
    nodes = {}
    for entry in entries:
        content = segment.data[entry.place : entry.place + entry.size]
        target = content.partition(b"\0")[0].decode(errors="surrogateescape")
        if entry.kind == LINK:
            nodes[entry.name] = Node("system", "OSv", target=target)
        elif entry.name.endswith("/") and not content:
            nodes[entry.name.rstrip("/") or "/"] = Node("system", "OSv")
        else:
            nodes[entry.name] = Node("system", "OSv", source=content)
    return nodes


def memory_end(layout: Layout, segment: Segment, nodes: Mapping[str, Node]) -> int:
    """The physical address up to which the kernel with `nodes` takes memory, at most."""
    contents = _PAGE + sum(node.size + _PAGE for node in nodes.values())
    table = _PAGE + _table_size(len(nodes)) if len(nodes) > layout.in_place else 0
    return max(layout.end, segment.end) - LINKED_ABOVE_PHYSICAL + contents + table


def _grown(
    segment: Segment, layout: Layout, entries: list[tuple[bytes, int, bytes | Path, int]]
) -> tuple[bytearray, int, list[_Planned], int]:
    """The kernel up to its old end, the table, the contents behind it, and where these end."""
    first = layout.end - segment.address
    table = layout.table
    if len(entries) > layout.in_place:
        table = first + -first % _PAGE
        first = table + _table_size(len(entries))
    planned, end = _place(entries, first)
    end += -end % _PAGE
    if segment.address - LINKED_ABOVE_PHYSICAL + end > MAPPED:
        raise InputError(
            f"kernel and files take {end / 1e6:.0f} MB, and OSv maps its first GiB of memory only",
            hint="make the image smaller",
        )
    data = segment.resized(end, end)
    data.extend(bytes(first - len(data)))
    _OPERAND.pack_into(data, layout.end_operand, segment.address + end)
    if table != layout.table:
        _move_table(data, layout, table)
    return data, table, planned, end


def _move_table(data: bytearray, layout: Layout, table: int) -> None:
    """Let the code that unpacks the RAMFS look at another place of the kernel's file."""
    for at in layout.operands:
        [before] = _OPERAND.unpack_from(data, at)
        _OPERAND.pack_into(data, at, (before + table - layout.table) % (1 << 32))


def _table_size(entries: int) -> int:
    return (entries + 1) * ENTRY.size


def _in_place(
    layout: Layout, entries: list[tuple[bytes, int, bytes | Path, int]]
) -> tuple[list[_Planned], int]:
    """The contents behind the table in its old place, and where they end."""
    return _place(entries, layout.table + _table_size(len(entries)))


def _place(
    entries: list[tuple[bytes, int, bytes | Path, int]], at: int
) -> tuple[list[_Planned], int]:
    """The contents page by page from a place on, and where they end."""
    planned = []
    for name, kind, content, size in entries:
        at += -at % _PAGE if size else 0
        planned.append(_Planned(name, kind, content, size, at))
        at += size
    return planned, at


def _entries(nodes: Mapping[str, Node]) -> Iterator[tuple[bytes, int, bytes | Path, int]]:
    """Name, type, content and its size. Folders with anything in them are made by the kernel."""
    above = {path.rpartition("/")[0] for path in nodes} | {"/", ""}
    for path, node in sorted(nodes.items()):
        folder = node.source is None and node.target is None
        if folder and path in above:
            continue
        name = (f"{path}/" if folder else path).encode(errors="surrogateescape")
        if not name.startswith(b"/") or b"\0" in name:
            raise ValueError(f"{path!r} is not an absolute path")
        if len(name) > NAME_MAX:
            raise InputError(
                f"{path} is longer than the {NAME_MAX} bytes that OSv's RAMFS has",
                hint="give it a shorter path, or leave it out with exclude",
            )
        if node.target is not None:
            target = node.target.encode(errors="surrogateescape") + b"\0"
            yield name, LINK, target, len(target)
        else:
            yield name, FILE, node.source or b"", node.size


def _blocks(entry: _Planned) -> Iterator[bytes]:
    """The content, piece by piece. Raises InputError when it has changed."""
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    size = 0
    with entry.content.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            size += len(block)
            yield block
    if size != entry.size:
        raise InputError(f"{entry.content} changed while it was read", hint="build again")
