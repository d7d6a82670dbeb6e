"""How much memory an image needs, computed rather than guessed.

The kernel unpacks the initial file system while the boot loader's copy of it, compressed, still
takes its place; both have to fit into what the kernel leaves. The file system is a tmpfs, which
Linux lets grow to half of that, and have one file for each page of that half. Bisected with
Debian's kernels 6.1 and 6.12 by `python -m benchmarks.memory`.
"""

from __future__ import annotations

_MIB, _PAGE = 1 << 20, 4096
_STEP = 4

# MiB that the kernel takes itself: for good, when it sizes the file system; for a moment, when it
# unpacks itself, before there are files; and beside all files, before it frees what only its start
# needs. For a small image one of the last two is the most, by the programs of docs/programs.md.
_KERNEL = 50
_START = 85
_UNPACKING = 73
# A 64th of the memory is the kernel's list of pages; hash tables take the rest, and one percent is
# for kernels to come, as are two of the MiB above: without them, zeros have no more than was found.
_SHARE = 1.03
# What UEFI firmware keeps for itself while GRUB loads: with 64 MiB a small image does not boot, and
# with 112 it does. Not bisected.
_UEFI = 112
_INODE = 1024  # bytes that a file takes beside its contents


def minimum_mib(unpacked: int, packed: int, files: int, *, uefi: bool = False) -> int:
    """The smallest machine in MiB that boots a file system of `files` files (folders and links
    count) with `unpacked` bytes in whole pages, which takes `packed` bytes compressed.

    What the program needs beside its files is not in it.
    """
    whole = 2 * max(unpacked, files * _PAGE) / _MIB + _KERNEL
    unpacking = (unpacked + files * _INODE) / _MIB + _UNPACKING
    needed = _SHARE * (packed / _MIB + max(whole, unpacking, _START)) + (_UEFI if uefi else 0)
    return -(-int(needed + 1) // _STEP) * _STEP
