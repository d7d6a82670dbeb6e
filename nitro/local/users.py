"""Who uses the local Nitro: a locked file for each, so that a process that died does not count.

Callers hold `gate` while they join, leave or count, or start or end the local Nitro.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_GATE, _USERS = "gate", "users"


@contextmanager
def gate(folder: Path, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """One process at a time; `waiting` is told why when another one is inside."""
    with (folder / _GATE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting("another command starts or ends it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class User:
    """This process, as one user. Counts until `leave` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        users = folder / _USERS
        users.mkdir(exist_ok=True)
        self._path = users / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock: TextIO = self._path.open("x")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.close()


def processes(folder: Path) -> list[int]:
    """The processes that use it, ascending. Files of dead ones are removed."""
    found = set()
    for path in (folder / _USERS).glob("*-*"):
        with suppress(FileNotFoundError), path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                found.add(int(path.name.partition("-")[0]))
    return sorted(found)
