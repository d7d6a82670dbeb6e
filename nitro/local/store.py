"""The disks behind snapshots: one sparse file each, in blocks of 512 KiB.

Both readers see the same bytes: the EBS direct API serves `read()`, an instance boots from
`copy_to()`. Knows nothing of AWS; ids are names chosen by the caller.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nitro.sparse import data_blocks, read_block, size_of

BLOCK_SIZE = 512 * 1024  # bytes; the only size of the EBS direct API
_ZERO = bytes(BLOCK_SIZE)


class BlockStore:
    """A folder of disks. Not locked: callers serialise writes to one disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blocks: dict[str, list[int]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, disk: str) -> Path:
        """The disk as a raw file."""
        return self.folder / f"{disk}.raw"

    def exists(self, disk: str) -> bool:
        return self.path(disk).is_file()

    def create(self, disk: str, content: Iterable[bytes] = ()) -> int:
        """Make a disk from consecutive pieces of bytes; returns their sum. Zeros become holes."""
        size = 0
        partial = self.path(disk).with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                for piece in content:
                    for block in _blocks_of(piece):
                        _write_sparsely(file.fileno(), size, block)
                        size += len(block)
                file.truncate(size)
            partial.replace(self.path(disk))
        finally:
            partial.unlink(missing_ok=True)
        self._blocks.pop(disk, None)
        return size

    def take(self, disk: str, source: Path) -> None:
        """Make a disk of the raw file `source`, of whose holes nothing is read."""
        partial = self.path(disk).with_suffix(".partial")
        try:
            with source.open("rb") as read, partial.open("wb") as file:
                for index in data_blocks(read, BLOCK_SIZE):
                    _write_sparsely(
                        file.fileno(), index * BLOCK_SIZE, read_block(read, index, BLOCK_SIZE)
                    )
                file.truncate(size_of(read))
            partial.replace(self.path(disk))
        finally:
            partial.unlink(missing_ok=True)
        self._blocks.pop(disk, None)

    def write(self, disk: str, index: int, block: bytes) -> None:
        """Store one whole block; the disk grows as needed. OSError when the disk is missing."""
        with self.path(disk).open("r+b") as file:
            file.seek(index * BLOCK_SIZE)
            file.write(block)
        self._blocks.pop(disk, None)

    def read(self, disk: str, index: int) -> bytes:
        """One block, always BLOCK_SIZE bytes: zeros where the disk has a hole or has ended."""
        with self.path(disk).open("rb") as file:
            return read_block(file, index, BLOCK_SIZE)

    def used(self, disk: str) -> list[int]:
        """The indices of the blocks that are not all zeros, ascending."""
        if disk not in self._blocks:
            with self.path(disk).open("rb") as file:
                self._blocks[disk] = [
                    index
                    for index in data_blocks(file, BLOCK_SIZE)
                    if read_block(file, index, BLOCK_SIZE).strip(b"\0")
                ]
        return list(self._blocks[disk])

    def copy(self, disk: str, other: str) -> None:
        """Replace the disk `other` by a copy of `disk`."""
        partial = self.path(other).with_suffix(".partial")
        self.copy_to(disk, partial, 0)
        partial.replace(self.path(other))
        self._blocks.pop(other, None)

    def link(self, disk: str, other: str) -> None:
        """Give the disk a second name. From then on neither may be written."""
        self.path(other).unlink(missing_ok=True)
        self.path(other).hardlink_to(self.path(disk))
        self._blocks.pop(other, None)

    def copy_to(self, disk: str, target: Path, size_bytes: int) -> None:
        """Write the disk to a new sparse file of at least `size_bytes`."""
        with target.open("wb") as file:
            for index in self.used(disk):
                file.seek(index * BLOCK_SIZE)
                file.write(self.read(disk, index))
            file.truncate(max(size_bytes, self.path(disk).stat().st_size))

    def delete(self, disk: str) -> None:
        self.path(disk).unlink(missing_ok=True)
        self._blocks.pop(disk, None)


def _blocks_of(piece: bytes) -> Iterable[bytes]:
    return (piece[at : at + BLOCK_SIZE] for at in range(0, len(piece), BLOCK_SIZE))


def _write_sparsely(fd: int, offset: int, block: bytes) -> None:
    if block != _ZERO[: len(block)]:
        os.pwrite(fd, block, offset)
