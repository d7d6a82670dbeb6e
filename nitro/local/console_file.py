"""A serial console in a file: its end is kept, as EC2 does, and the rest takes no space.

QEMU and the card append to the file for as long as the guest runs. What is dropped becomes a hole
in the file: nothing moves, so no writer has to know.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

KEPT = 64 * 1024  # bytes of a console; what GetConsoleOutput returns at most

# Flags of fallocate, see its manual page in section 2.
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02


def read_end(path: Path) -> bytes:
    """The last KEPT bytes, or fewer; none where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - KEPT))
            return file.read(KEPT)
    except FileNotFoundError:
        return b""


def drop_beginning(path: Path) -> None:
    """Free what lies before the last KEPT bytes; a file system that cannot keeps it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    with path.open("r+b") as file:
        surplus = file.seek(0, os.SEEK_END) - KEPT
        if surplus > 0:
            libc.fallocate(file.fileno(), _PUNCH_HOLE | _KEEP_SIZE, 0, surplus)
