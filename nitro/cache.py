"""What the cache holds: folders of one kind of thing each, in them an entry for each thing.

All of it can be made or downloaded again. An entry was last used when its inode was last changed: a
time that neither tar nor cp sets back.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from nitro.errors import InputError, NitroError
from nitro.paths import cache_dir, state_dir

#: How long an entry stays at least: another process may have looked it up and be about to use it.
YOUNG: Final = timedelta(hours=1)
_NOTED_SECONDS: Final = 600
#: the folders that are nitro's: NITRO_CACHE may name one in which others have theirs
KINDS: Final = frozenset(
    {
        *("apt", "debs", "trees", "keyrings", "guards", "contents"),  # of Debian
        *("registry", "containers", "debian"),  # of other images
        *("builds", "images", "layers", "setup", "bytecode", "grub", "modules", "osv-modules"),
        "loops",  # of the card
        *("debug-kernels", "npm", "clients"),  # of the tests
    }
)
_VERSION: Final = re.compile(r"-\d+$")  # of a kind's format

#: whose use this process has noted
_touched: Final = set[Path]()


@dataclass(frozen=True)
class Entry:
    """A file or folder of the cache. `size_bytes` is the room that it takes on the disk."""

    kind: str
    path: Path
    size_bytes: int
    used: datetime


def touch(path: Path) -> Path:
    """Note that the entry at `path`, if there is one, is used; returns `path`.

    Called before it is looked whether it is there, so that nobody removes it in between.
    """
    _touched.add(path)
    with suppress(OSError):  # gone, or a cache that may only be read
        # Not each time: a changed file is hashed again.
        if time.time() - path.stat().st_ctime > _NOTED_SECONDS:
            os.utime(path)
    return path


def touch_again() -> None:
    """Note that this process still uses what it has used: for one that outlasts `YOUNG`."""
    for path in list(_touched):
        touch(path)


def entries() -> list[Entry]:
    """All entries, by kind and name. Raises InputError where the state lies among them."""
    home, state = cache_dir().resolve(), state_dir().resolve()
    if home == state or home in state.parents:
        raise InputError(
            f"{state}, which must not be removed, is in the cache, {home}",
            hint="let NITRO_CACHE and NITRO_STATE name folders of which none is in the other",
        )
    kinds = sorted(
        path
        for path in cache_dir().iterdir()
        if path.is_dir() and _VERSION.sub("", path.name) in KINDS
    )
    return [entry for kind in kinds for path in sorted(kind.iterdir()) for entry in _entry(path)]


def unused(found: list[Entry], age: timedelta, now: datetime | None = None) -> list[Entry]:
    """Those of `found` that nothing has used for `age`, or for `YOUNG` where that is longer."""
    now = now or datetime.now(UTC)
    return [entry for entry in found if now - entry.used > max(age, YOUNG)]


def remove(entry: Entry) -> bool:
    """Remove `entry`, which disappears at once; False when it has been used or is gone by now.

    Raises NitroError when it cannot be removed.
    """
    import shutil  # a build that finds its image notes its use, and removes nothing

    path = entry.path
    renamed = path.with_name(f".removed-{os.getpid()}-{path.name}")
    try:
        if _used(path.lstat()) != entry.used:
            return False
        if not path.name.startswith(".removed-"):
            path.rename(renamed)
            path = renamed
        if path.is_dir() and not path.is_symlink():
            for folder in _folders(path):
                folder.chmod(0o700)  # packages have folders that their owner may not change
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return False  # another process was first
    except OSError as error:
        raise NitroError(
            f"could not remove {path}: {error.strerror}", hint="remove it by hand"
        ) from None
    return True


def _used(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_ctime, UTC)


def _entry(path: Path) -> Iterator[Entry]:
    try:
        found = path.lstat()
        size = found.st_blocks * 512
        if stat.S_ISDIR(found.st_mode):
            size += _size_below(path)
        yield Entry(path.parent.name, path, size, _used(found))
    except FileNotFoundError:  # removed just now
        return


def _size_below(folder: str | Path) -> int:
    """Bytes on the disk of all that is in `folder`; what cannot be read counts as nothing."""
    total = 0
    with suppress(OSError), os.scandir(folder) as inside:
        for each in inside:
            total += each.stat(follow_symlinks=False).st_blocks * 512
            if each.is_dir(follow_symlinks=False):
                total += _size_below(each.path)
    return total


def _folders(path: Path) -> Iterator[Path]:
    """`path` and the folders below it, each before what is in it."""
    yield path
    with os.scandir(path) as inside:
        below = [Path(each.path) for each in inside if each.is_dir(follow_symlinks=False)]
    for folder in below:
        yield from _folders(folder)
