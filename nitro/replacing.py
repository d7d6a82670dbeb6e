"""Files that are written anew: whoever reads one sees the old content or all of the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its place at the end of the block.

    When the block raises, it is removed, and what was at `path` stays. Processes and threads that
    do this at once do not meet. Its name begins with a dot.

    Where `path` is a link, it stays; a pipe, a terminal or another device is written to as it is.
    """
    path = Path(os.path.realpath(path))  # Path.resolve fails for a link to itself
    if path.exists() and not path.is_file():
        yield path
        return
    fresh = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        yield fresh
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
