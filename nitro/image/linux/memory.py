"""How much memory an image needs, computed rather than guessed."""

from __future__ import annotations

_MIB = 1 << 20
_STEP = 32

# Measured with Debian 13's cloud kernel: what it keeps for itself, and what it needs for a
# moment to unpack itself; then room for the program to run in.
_KERNEL = 112
_ROOM = 64


def minimum_mib(unpacked: int) -> int:
    """The smallest machine in MiB for a file system of `unpacked` bytes that stays in RAM.

    Linux lets such a file system grow to half of the memory, so all must be twice its size.
    While it is unpacked it is there once more, compressed, which fits into the same room.
    """
    needed = 2 * unpacked / _MIB + _KERNEL + _ROOM
    return -(-int(needed) // _STEP) * _STEP
