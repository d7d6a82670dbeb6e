"""FAT12 and FAT16 volumes: written once, read back, never changed.

Names are short ones (8.3, upper case), which is all that firmware and GRUB need; every file's
clusters are contiguous; there are no times, so equal files give equal bytes. Facts from
Microsoft's "FAT: General Overview of On-Disk Format" (fatgen103).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from nitro.errors import InputError

SECTOR = 512
_CLUSTER_SIZE = 32768  # the largest: a boot loader takes a step for each cluster
_ALIGNED = _CLUSTER_SIZE // SECTOR
# The number of clusters alone says which FAT it is; GRUB's limit is off by one from 4085, so keep
# as far from it as fatgen103 recommends.
_MAX_FAT12, _MIN_FAT16, _MAX_FAT16 = 4085 - 16, 4085 + 16, 65524
_ROOT_ENTRIES = 512
_ENTRY = struct.Struct("<11sB8xHHHHI")
_BOOT = struct.Struct("<3s8sHBHBHHBHHHIIBBBI11s8s")
_DIRECTORY, _ARCHIVE, _VOLUME_LABEL = 0x10, 0x20, 0x08
_DATE = 0x21  # 1 January 1980, the earliest there is
_MAX_FOLDER, _MAX_DEPTH = 65536 * 32, 16  # of volumes that are read
_NAME = re.compile(r"[A-Z0-9_-]{1,8}(\.[A-Z0-9_-]{1,3})?")

Source = bytes | Path


@dataclass
class _Node:
    """A file or folder and where it lies. The root folder has no cluster of its own."""

    source: Source | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    cluster: int = 0
    count: int = 0

    @property
    def size(self) -> int:
        if self.source is None:
            return (len(self.children) + 2) * _ENTRY.size  # with "." and ".."
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


class Volume:
    """A volume that just holds `files`: path ("EFI/BOOT/GRUB.EFI") → bytes or file.

    They lie in the order given. `size` is its length in bytes. Raises InputError when the files
    need more than FAT16 can hold (2 GiB), and ValueError for a name that is not a short one and for
    more than 511 in the root folder. Up to 127 MiB it is FAT12.
    """

    def __init__(self, files: Mapping[str, Source], *, label: str, serial: int) -> None:
        self._label, self._serial = label.encode().ljust(11), serial
        self._root = _Node()
        for path, source in files.items():
            self._add(path, source)
        clusters = self._place()
        self._bits = 12 if clusters <= _MAX_FAT12 else 16
        if self._bits == 16:
            clusters = max(clusters, _MIN_FAT16)
        if clusters > _MAX_FAT16:
            raise InputError(
                "the files take more than the 2 GiB that a FAT16 volume has room for",
                hint="make the image smaller",
            )
        if len(self._root.children) >= _ROOT_ENTRIES:  # the first is the label
            raise ValueError(f"more than {_ROOT_ENTRIES - 1} files in the root folder")
        self._fat_sectors = -(-(clusters + 2) * self._bits // (8 * SECTOR))
        # Sectors kept free in front align the clusters, so that a loader's cache needs no copies.
        head = 2 * self._fat_sectors + _ROOT_ENTRIES * _ENTRY.size // SECTOR
        self._reserved = _ALIGNED - head % _ALIGNED
        self._data = (self._reserved + head) * SECTOR
        self.size = self._data + clusters * _CLUSTER_SIZE

    def write(self, out: BinaryIO, offset: int) -> None:
        """Write the volume at `offset` of `out`. What is zero is skipped, not written."""
        self._put(out, offset, self._boot_sector(offset // SECTOR))
        fat = self._fat()
        for copy in range(2):
            self._put(out, offset + (self._reserved + copy * self._fat_sectors) * SECTOR, fat)
        root = offset + (self._reserved + 2 * self._fat_sectors) * SECTOR
        label = _ENTRY.pack(self._label, _VOLUME_LABEL, 0, 0, _DATE, 0, 0)
        self._put(out, root, label + self._entries(self._root))
        for node, parent in self._walk(self._root):
            if not node.count:
                continue
            at = offset + self._data + (node.cluster - 2) * _CLUSTER_SIZE
            self._put(out, at, _folder(node, parent) if node.source is None else node.source)

    def _add(self, path: str, source: Source) -> None:
        *folders, name = path.split("/")
        node = self._root
        for part in (*folders, name):
            if not _NAME.fullmatch(part):
                raise ValueError(f"{path!r} has no short file name")
            node = node.children.setdefault(part, _Node())
        node.source = source

    def _place(self) -> int:
        """Give every node its clusters; returns how many there are."""
        cluster = 2
        for node, _ in self._walk(self._root):
            node.count = -(-node.size // _CLUSTER_SIZE)
            node.cluster = cluster if node.count else 0
            cluster += node.count
        return max(cluster - 2, 1)

    def _walk(self, folder: _Node) -> Iterator[tuple[_Node, _Node]]:
        for node in folder.children.values():
            yield node, folder
            yield from self._walk(node)

    def _boot_sector(self, hidden: int) -> bytes:
        sectors = self.size // SECTOR
        small, large = (sectors, 0) if sectors < 0x10000 else (0, sectors)
        fields = _BOOT.pack(
            *(b"\xeb\x3c\x90", b"NITRO   ", SECTOR, _CLUSTER_SIZE // SECTOR, self._reserved, 2),
            *(_ROOT_ENTRIES, small, 0xF8, self._fat_sectors, 63, 255, hidden, large),
            *(0x80, 0, 0x29, self._serial, self._label, b"FAT%d   " % self._bits),
        )
        return fields.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"

    def _fat(self) -> bytes:
        table = [0xFFF8, 0xFFFF]
        for node, _ in self._walk(self._root):
            if node.count:
                table += range(node.cluster + 1, node.cluster + node.count)
                table.append(0xFFFF)
        if self._bits == 16:
            return struct.pack(f"<{len(table)}H", *table)
        pairs = zip_longest(table[::2], table[1::2], fillvalue=0)
        return b"".join((a & 0xFFF | (b & 0xFFF) << 12).to_bytes(3, "little") for a, b in pairs)

    def _entries(self, folder: _Node) -> bytes:
        return b"".join(_entry(_short(n), node) for n, node in sorted(folder.children.items()))

    def _put(self, out: BinaryIO, at: int, source: Source) -> None:
        out.seek(at)
        if isinstance(source, bytes):
            out.write(source)
            return
        with source.open("rb") as file:
            while block := file.read(1 << 20):
                out.write(block)


def _folder(node: _Node, parent: _Node) -> bytes:
    dots = _entry(b".".ljust(11), node) + _entry(b"..".ljust(11), parent)
    return dots + b"".join(_entry(_short(n), c) for n, c in sorted(node.children.items()))


def _entry(name: bytes, node: _Node) -> bytes:
    kind, size = (_DIRECTORY, 0) if node.source is None else (_ARCHIVE, node.size)
    return _ENTRY.pack(name, kind, 0, 0, _DATE, node.cluster, size)


def _short(name: str) -> bytes:
    stem, _, extension = name.partition(".")
    return (stem.ljust(8) + extension.ljust(3)).encode()


def read(volume: BinaryIO, offset: int) -> dict[str, tuple[int, int]]:
    """The files of a volume that `Volume` wrote: path → (position in `volume`, size).

    Raises ValueError when there is no such volume at `offset`, or a file is not contiguous.
    """
    volume.seek(offset)
    sector = volume.read(SECTOR)
    kind = sector[54:59]
    if len(sector) < SECTOR or kind not in (b"FAT12", b"FAT16") or sector[510:] != b"\x55\xaa":
        raise ValueError("no FAT12 or FAT16 volume")
    boot = _BOOT.unpack_from(sector)
    cluster_size, fat_sectors, roots = boot[3] * SECTOR, boot[9], boot[6]
    if fat_sectors * SECTOR > 2 * (_MAX_FAT16 + 2) + SECTOR:
        raise ValueError("a table of more clusters than FAT16 has")
    volume.seek(offset + boot[4] * SECTOR)
    fats = _exactly(volume, fat_sectors * SECTOR)
    fat = _links12(fats) if kind == b"FAT12" else struct.unpack(f"<{len(fats) // 2}H", fats)
    root = offset + (boot[4] + boot[5] * fat_sectors) * SECTOR
    data = root + roots * _ENTRY.size
    found: dict[str, tuple[int, int]] = {}
    used: set[int] = set()

    def walk(prefix: str, at: int, length: int) -> None:
        if length > _MAX_FOLDER or prefix.count("/") > _MAX_DEPTH:
            raise ValueError("a folder that is too long, or nested too deeply")
        volume.seek(at)
        for entry in _ENTRY.iter_unpack(_exactly(volume, length)):
            name, kind, cluster, size = entry[0], entry[1], entry[5], entry[6]
            if name[0] == 0:
                return
            if kind & _VOLUME_LABEL or name.startswith(b"."):
                continue
            stem, extension = name[:8].decode().rstrip(), name[8:].decode().rstrip()
            path = prefix + (f"{stem}.{extension}" if extension else stem)
            clusters = _run(fat, cluster, used)
            start = data + max(cluster - 2, 0) * cluster_size  # an empty file has no cluster
            if not kind & _DIRECTORY:
                if size > clusters * cluster_size:
                    raise ValueError(f"{path} is longer than its clusters")
                found[path] = (start, size)
            else:
                walk(path + "/", start, clusters * cluster_size)

    walk("", root, roots * _ENTRY.size)
    return found


def _exactly(volume: BinaryIO, length: int) -> bytes:
    data = volume.read(length)
    if len(data) < length:
        raise ValueError("the volume ends too early")
    return data


def _links12(fats: bytes) -> tuple[int, ...]:
    """The entries of 12 bits, two in three bytes, with marks of the end as in 16 bits."""
    pairs = (int.from_bytes(fats[at : at + 3], "little") for at in range(0, len(fats) - 2, 3))
    links = (half for pair in pairs for half in (pair & 0xFFF, pair >> 12))
    return tuple(link | 0xF000 if link >= 0xFF8 else link for link in links)


def _run(fat: tuple[int, ...], cluster: int, used: set[int]) -> int:
    """How many clusters a file has that starts at `cluster`.

    They must be contiguous and belong to no other file: so none is looked at twice. `used` has
    those of other files and gets these.
    """
    if cluster == 0:
        return 0
    count = 1
    while True:
        if not 2 <= cluster < len(fat):
            raise ValueError("a cluster outside the volume")
        if cluster in used:
            raise ValueError("two files, or folders, that share a cluster")
        used.add(cluster)
        if fat[cluster] >= 0xFFF8:
            return count
        if fat[cluster] != cluster + 1:
            raise ValueError("a file that is not contiguous")
        cluster, count = cluster + 1, count + 1
