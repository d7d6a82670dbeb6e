"""Sparse files, in blocks: which blocks hold data, and what is in them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import BinaryIO


def data_blocks(file: BinaryIO, block_size: int) -> Iterator[int]:
    """Indices of the blocks of `block_size` bytes in which the file system keeps data, ascending.

    Every other block is a hole and reads as zeros; one that is listed may still be all zeros.
    Of a block device, which knows no holes, all blocks are listed.
    """
    fd = file.fileno()
    size, offset, next_index = size_of(file), 0, 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            yield from range(-(-size // block_size))
            return
        offset = os.lseek(fd, start, os.SEEK_HOLE)
        end_index = -(-offset // block_size)
        yield from range(max(start // block_size, next_index), end_index)
        next_index = end_index


def size_of(file: BinaryIO) -> int:
    """Size in bytes, of a block device as of a file: fstat(2) says 0 of the former."""
    return os.lseek(file.fileno(), 0, os.SEEK_END)


def read_block(file: BinaryIO, index: int, block_size: int) -> bytes:
    """One block, always `block_size` bytes: zeros where the file has a hole or has ended."""
    return os.pread(file.fileno(), block_size, index * block_size).ljust(block_size, b"\0")
