"""qcow2 disk images, read only: the format of QEMU's docs/interop/qcow2.rst.

Not read: encrypted images, and those that need another file (a backing file or external data).
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

MAGIC = b"QFI\xfb"

_HEADER = struct.Struct(">4sIQIIQIIQ")
_FEATURES = struct.Struct(">Q")
_PLACE = 0x00FFFFFFFFFFFE00
_COMPRESSED, _ZERO = 1 << 62, 1
_KNOWN_FEATURES = 3  # "dirty" and "corrupt" say nothing of the clusters that are mapped
_MAX_L1 = 32 << 20


@dataclass
class Qcow2:
    """The disk in an open file. Raises ValueError when the file is not such an image."""

    file: BinaryIO
    size: int = field(init=False)
    _file_size: int = field(init=False)
    _cluster_bits: int = field(init=False)
    _l1: tuple[int, ...] = field(init=False)
    _l2: dict[int, tuple[int, ...]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._file_size = self.file.seek(0, os.SEEK_END)
        header = self._bytes(0, _HEADER.size)
        magic, version, backing, _, bits, self.size, crypt, l1_size, l1 = _HEADER.unpack(header)
        if magic != MAGIC or version not in (2, 3):
            raise ValueError("not a qcow2 image of version 2 or 3")
        if backing:
            raise ValueError("a qcow2 image with a backing file")
        if crypt:
            raise ValueError("an encrypted qcow2 image")
        if version == 3:
            [features] = _FEATURES.unpack(self._bytes(72, 8))
            if features & ~_KNOWN_FEATURES:
                raise ValueError("a qcow2 image with features that are not known here")
        if not 9 <= bits <= 21 or l1_size * 8 > _MAX_L1:
            raise ValueError("a damaged qcow2 header")
        self._cluster_bits = bits
        self._l1 = struct.unpack(f">{l1_size}Q", self._bytes(l1, l1_size * 8))

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes of the disk from `offset`: fewer at its end."""
        parts = []
        end = min(offset + size, self.size)
        cluster = 1 << self._cluster_bits
        while offset < end:
            inside = offset % cluster
            length = min(cluster - inside, end - offset)
            parts.append(self._cluster(offset // cluster)[inside : inside + length])
            offset += length
        return b"".join(parts)

    def _cluster(self, number: int) -> bytes:
        size = 1 << self._cluster_bits
        entry = self._entry(number)
        if entry & _COMPRESSED:
            return self._inflate(entry)
        place = entry & _PLACE
        if not place or entry & _ZERO:
            return bytes(size)
        return self._bytes(place, size, short=True).ljust(size, b"\0")

    def _entry(self, number: int) -> int:
        per_table = 1 << self._cluster_bits - 3
        high, low = divmod(number, per_table)
        table = (self._l1[high] if high < len(self._l1) else 0) & _PLACE
        if not table:
            return 0
        if table not in self._l2:
            raw = self._bytes(table, per_table * 8)
            self._l2[table] = struct.unpack(f">{per_table}Q", raw)
        return self._l2[table][low]

    def _inflate(self, entry: int) -> bytes:
        size = 1 << self._cluster_bits
        split = 62 - (self._cluster_bits - 8)
        place = entry & (1 << split) - 1
        sectors = (entry & _COMPRESSED - 1) >> split
        length = (sectors + 1) * 512 - place % 512
        try:
            # The end of the deflated data is not told: what follows it in the sector is not its.
            data = zlib.decompressobj(-12).decompress(self._bytes(place, length, short=True), size)
        except zlib.error as error:
            raise ValueError(f"a damaged qcow2 cluster: {error}") from None
        if len(data) != size:
            raise ValueError("a qcow2 cluster that is not whole")
        return data

    def _bytes(self, offset: int, size: int, *, short: bool = False) -> bytes:
        # No seek beyond the end: some file systems refuse it, and 2**63 fits no off_t.
        self.file.seek(min(offset, self._file_size))
        data = self.file.read(size)
        if len(data) < size and not short:
            raise ValueError("a qcow2 image that ends too early")
        return data
