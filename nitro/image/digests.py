"""The SHA-256 of files of this machine, which are read again only when they have changed.

A file is taken to be unchanged as long as its size, its times of change (of the content and of the
inode, which nothing can set back) and its inode are.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from nitro.paths import cache_dir
from nitro.replacing import replacing

_SMALLEST = 128 << 10  # bytes: of smaller files more would have to be remembered, for less
_MOST = 5_000  # files that are remembered
# A file that changes twice within a tick of the file system's clock has one state for both.
_SETTLED_NS = 2_000_000_000

_State = tuple[int, int, int, int]


def of_file(path: Path) -> str:
    """The hex digits of a file's SHA-256, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digests:
    """What is remembered in the cache folder, and what was read since."""

    def __init__(self) -> None:
        self._known = _load()
        self._changed = False

    def sha256(self, path: Path) -> str:
        """As `of_file`, for a file that may be known already."""
        state = _state(path)
        found = self._known.get(str(path))
        if found and tuple(found[:-1]) == state:
            return str(found[-1])
        digest = of_file(path)
        settled = max(state[1:3]) < time.time_ns() - _SETTLED_NS
        if state[0] >= _SMALLEST and settled and state == _state(path):
            self._known.pop(str(path), None)  # the latest are last
            self._known[str(path)] = [*state, digest]
            self._changed = True
        return digest

    def keep(self) -> None:
        """Remember what was read."""
        if not self._changed:
            return
        with replacing(_path()) as fresh:
            fresh.write_text(json.dumps(dict([*self._known.items()][-_MOST:])))


def _path() -> Path:
    return cache_dir() / "digests.json"


def _load() -> dict[str, list[int | str]]:
    try:
        document = json.loads(_path().read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {path: one for path, one in document.items() if _is_entry(one)}


def _is_entry(one: object) -> bool:
    return isinstance(one, list) and len(one) == 5 and isinstance(one[-1], str)


def _state(path: Path) -> _State:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
