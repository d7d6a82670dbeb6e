"""A full disk, as people meet it: the place that is full, and what to do."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

from nitro.errors import NitroError
from nitro.paths import cache_dir, state_dir

HINT = (
    "give access or make room (`nitro cache prune`); NITRO_CACHE and NITRO_STATE name other "
    "folders to keep things in"
)
_FULL = {errno.ENOSPC, errno.EDQUOT}
# In the C locale; the last one is tar's.
_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes", re.IGNORECASE
)


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


def says_full(output: str) -> bool:
    """Whether a program's messages, in the C locale, blame a full disk."""
    return bool(_WORDS.search(output))


def full(place: Path) -> NitroError:
    """The error for a full disk that a program met while it wrote below `place`."""
    return NitroError(f"{place}: No space left on device", hint=HINT)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Name `place` in the error of a full disk: the kernel's, for a write, names no file."""
    try:
        yield
    except OSError as error:
        if is_full(error) and error.filename is None:
            error.filename = str(place)
        raise


def fullest() -> Path:
    """The folder with the least room of those that nitro writes to."""
    folders = (cache_dir(), state_dir(), Path(tempfile.gettempdir()))
    return min(folders, key=lambda folder: disk_usage(folder).free)
