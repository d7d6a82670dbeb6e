"""Files that a user names, read whole."""

from __future__ import annotations

import stat
from pathlib import Path

from nitro.errors import InputError


def check(path: Path) -> None:
    """Raises InputError unless `path` is a regular file, or a link to one.

    The opening of a FIFO waits for its writer, and a device may have no end.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: not a regular file", hint="check the path")


def read(path: Path, largest: int) -> bytes:
    """All bytes of a file of at most `largest` bytes. Raises InputError for any other."""
    check(path)
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(content) > largest:
        raise InputError(f"{path}: larger than {largest >> 10} KiB", hint="check the path")
    return content


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: {error.strerror}", hint="check the path")
