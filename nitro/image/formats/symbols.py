"""The dynamic symbols of an ELF file, as a dynamic linker finds them: without section headers.

From the file's memory image alone, of 64-bit little-endian files; quick, for a kernel has 15,000.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property

_PHDR = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOAD, _DYNAMIC = 1, 2
_STRTAB, _SYMTAB, _STRSZ, _HASH, _GNU_HASH = 5, 6, 10, 4, 0x6FFFFEF5
_WEAK = 2


@dataclass(frozen=True)
class Symbols:
    """What a file defines (name → address), and needs from others; `weak` ones it can miss."""

    defined: dict[str, int] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()


@dataclass
class _File:
    data: bytes
    #: (address, place in the file, bytes stored) of the loaded segments
    loaded: list[tuple[int, int, int]] = field(default_factory=list)
    dynamic: dict[int, int] = field(default_factory=dict)

    def place(self, address: int) -> int:
        for start, offset, size in self.loaded:
            if start <= address < start + size:
                return offset + address - start
        raise ValueError(f"the address {address:#x} is not in the file")


def read(data: bytes) -> Symbols:
    """Those of the ELF file `data`; none for a static one.

    Raises ValueError when the file is damaged.
    """
    if data[:6] != b"\x7fELF\2\1":
        raise ValueError("not a 64-bit ELF file")
    try:
        file = _open(data)
        if _SYMTAB not in file.dynamic or _STRTAB not in file.dynamic:
            return Symbols()
        first, strings = file.place(file.dynamic[_SYMTAB]), file.place(file.dynamic[_STRTAB])
        # One character for each byte: decoding them all at once is quicker than one by one.
        text = data[strings : strings + file.dynamic.get(_STRSZ, 0)].decode("latin-1")
        table = data[first : first + _count(file) * _SYMBOL.size]
        defined: dict[str, int] = {}
        needed: set[str] = set()
        weak: set[str] = set()
        for name, info, _, section, address, _ in _SYMBOL.iter_unpack(table):
            word = text[name : text.find("\0", name)]
            if not word.isascii():
                word = word.encode("latin-1").decode(errors="replace")
            if word and section:
                defined[word] = address
            elif word:
                (weak if info >> 4 == _WEAK else needed).add(word)
    except (struct.error, OverflowError) as error:  # of a place beyond 2**63, too
        raise ValueError(f"damaged dynamic symbols: {error}") from None
    return Symbols(defined, frozenset(needed), frozenset(weak))


class Exports:
    """What a file defines, by name: far quicker than `read` for a few of a kernel's names.

    Without a GNU hash table it is `read` all the same, and a damaged file defines nothing.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            file = _open(data)
            self._symbols, self._strings, self._table = (
                file.place(file.dynamic[tag]) for tag in (_SYMTAB, _STRTAB, _GNU_HASH)
            )
        except KeyError:
            self._table = 0
        except (struct.error, OverflowError, ValueError):
            self._table = len(data)

    def address(self, name: str) -> int | None:
        """That of a symbol; None when there is none of that name."""
        if not self._table:
            return self._all.get(name)
        wanted = name.encode()
        code = 5381
        for letter in wanted:
            code = code * 33 + letter & 0xFFFFFFFF
        try:
            return self._look_up(wanted + b"\0", code)
        except (struct.error, OverflowError, ZeroDivisionError):
            return None

    def _look_up(self, wanted: bytes, code: int) -> int | None:
        data = self._data
        buckets, first, bloom, _ = struct.unpack_from("<IIII", data, self._table)
        at = self._table + 16 + 8 * bloom
        [number] = struct.unpack_from("<I", data, at + 4 * (code % buckets))
        chains = at + 4 * buckets
        while number >= first:
            [entry] = struct.unpack_from("<I", data, chains + 4 * (number - first))
            if entry | 1 == code | 1:
                place = self._symbols + number * _SYMBOL.size
                text, _, _, section, address, _ = _SYMBOL.unpack_from(data, place)
                if section and data.startswith(wanted, self._strings + text):
                    return int(address)
            if entry & 1:
                break
            number += 1
        return None

    @cached_property
    def _all(self) -> dict[str, int]:
        try:
            return read(self._data).defined
        except ValueError:
            return {}


def _open(data: bytes) -> _File:
    file = _File(data)
    [start] = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    dynamic = (0, 0)
    for number in range(count):
        kind, _, offset, address, _, stored, *_ = _PHDR.unpack_from(data, start + number * size)
        if kind == _LOAD:
            file.loaded.append((address, offset, stored))
        elif kind == _DYNAMIC:
            dynamic = (offset, stored)
    at, length = dynamic
    for tag, value in struct.iter_unpack("<QQ", data[at : at + length // 16 * 16]):
        if not tag:
            break
        file.dynamic.setdefault(tag, value)
    return file


def _count(file: _File) -> int:
    """How many symbols there are, which only the tables for finding them tell."""
    if _HASH in file.dynamic:
        return int(struct.unpack_from("<II", file.data, file.place(file.dynamic[_HASH]))[1])
    # Without a table, and with one that has nothing to find, the strings begin behind the symbols.
    behind = (file.dynamic[_STRTAB] - file.dynamic[_SYMTAB]) // _SYMBOL.size
    if _GNU_HASH not in file.dynamic:
        return behind
    at = file.place(file.dynamic[_GNU_HASH])
    buckets, first, bloom, _ = struct.unpack_from("<IIII", file.data, at)
    at += 16 + 8 * bloom
    last = max(struct.unpack_from(f"<{buckets}I", file.data, at), default=0)
    if last < first:
        return behind
    chains = at + 4 * buckets
    while not struct.unpack_from("<I", file.data, chains + 4 * (last - first))[0] & 1:
        last += 1
    return int(last) + 1
