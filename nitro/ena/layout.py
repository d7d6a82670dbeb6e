"""Structures of the interface as tables of named fields: to read, to write and to explain.

    CREATE = Layout(Field("depth", "H", "entries"), Field("vector", "I", "vector"))

Everything is little-endian and packed. Besides the letters of `struct` a field may have the
format `A`, a 48-bit address. A field without a name is padding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

from nitro.ena.offload import Buffer

_SPACES = str.maketrans("_", " ")


def tidy(name: str) -> str:
    """`MAX_QUEUES` as `max queues`."""
    return name.lower().translate(_SPACES)


def flags(kind: type[IntFlag]) -> Callable[[int], str]:
    """The names of the bits that are set."""
    return lambda value: _join(f.name or "" for f in kind if value & f) if value else "none"


def numbered(kind: type[IntEnum]) -> Callable[[int], str]:
    """As `flags`, of bits that are numbered by `kind`."""
    return lambda value: _join(n.name for n in kind if value >> n & 1) if value else "none"


def _join(names: Iterable[str]) -> str:
    return " + ".join(map(tidy, names))


@dataclass(frozen=True, slots=True)
class Field:
    """`label` is what people are told, "" for nothing; `words` puts the value into words."""

    name: str
    format: str
    label: str = ""
    words: Callable[[Any], str] = str


def padding(size: int) -> Field:
    """`size` bytes that are zero when written and ignored when read."""
    return Field("", f"{size}x")


class Layout:
    """One structure. `size` is in bytes."""

    def __init__(self, *fields: Field) -> None:
        self.fields = tuple(field for field in fields if field.name)
        letters = ("6s" if field.format == "A" else field.format for field in fields)
        self._struct = struct.Struct("<" + "".join(letters))
        self._addresses = [field.name for field in self.fields if field.format == "A"]
        self.size = self._struct.size

    def pack(self, **values: int | bytes) -> bytes:
        """The bytes of a structure with these values; the rest is zero. Raises KeyError for a
        name that is no field."""
        unknown = values.keys() - {field.name for field in self.fields}
        if unknown:
            raise KeyError(*unknown)
        return self._struct.pack(*(_stored(field, values.get(field.name)) for field in self.fields))

    def unpack(self, data: Buffer, offset: int = 0) -> dict[str, Any]:
        """The values by name; what lies behind the end of `data` counts as zero."""
        if len(data) - offset < self.size:
            data = bytes(data[offset:]).ljust(self.size, b"\0")
            offset = 0
        stored = self._struct.unpack_from(data, offset)
        values = {field.name: value for field, value in zip(self.fields, stored, strict=True)}
        for name in self._addresses:
            values[name] = int.from_bytes(values[name], "little")
        return values

    def explain(self, data: Buffer) -> str:
        """The labelled fields in words, without those that are zero."""
        values = self.unpack(data)
        return ", ".join(
            f"{field.label} {field.words(values[field.name])}"
            for field in self.fields
            if field.label and values[field.name]
        )


def _stored(field: Field, value: int | bytes | None) -> int | bytes:
    if field.format == "A":
        return (int(value) if value else 0).to_bytes(6, "little")
    if field.format.endswith("s"):
        return value if isinstance(value, bytes) else b""
    return value or 0
