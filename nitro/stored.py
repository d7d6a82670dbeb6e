"""Things made once and kept by the hash of what they were made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from nitro.cache import touch
from nitro.paths import cache_dir
from nitro.space import writing


def stored(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The file `key` among those of its `kind`; `make(path)` writes it when it is not there.

    It appears whole or not at all, also when two processes make it at once.
    """
    folder = cache_dir() / kind
    path = touch(folder / key)
    if not path.exists():
        folder.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        scratch = Path(name)
        try:
            with writing(folder):
                make(scratch)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    return path
