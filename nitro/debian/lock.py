"""Lock files: which version of each package a recipe was built from.

A lock maps a set of wanted packages to the packages that answered it, with their SHA-256, so
that the same recipe gives the same bytes on another day and another machine. Locks stack: a
set is looked for in this file, then in `base` (the one that ships with nitro). Debian's
archive keeps only current versions; when it has dropped a pinned one, the set is resolved anew
and recorded here together with what it supersedes, so that a newer base wins again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro.debian.package import Package, Wanted
from nitro.errors import InputError
from nitro.paths import cache_dir, resource, state_dir
from nitro.replacing import replacing
from nitro.space import writing

_VERSION = 1


@dataclass(frozen=True)
class Lock:
    """A lock file and what it builds upon. `frozen`: nothing may be resolved anew."""

    path: Path
    base: Lock | None = None
    frozen: bool = False

    def get(self, wanted: Wanted) -> tuple[Package, ...] | None:
        """The pinned packages, or None when no lock has this set.

        Raises InputError when a lock file cannot be read.
        """
        below = self.base.get(wanted) if self.base else None
        entry = self._read().get(wanted.key)
        if entry is None:
            return below
        try:
            pinned = tuple(Package.from_json(package) for package in entry["packages"])
            superseded = entry["supersedes"]
        except (TypeError, KeyError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise InputError(
                f"{self.path}: {wanted.key}: damaged: {reason}", hint="delete the file"
            ) from None
        return pinned if superseded == _digest(below) else below

    def put(self, wanted: Wanted, packages: tuple[Package, ...]) -> None:
        """Pin `packages`, written at once (other processes may write, too)."""
        below = self.base.get(wanted) if self.base else None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._guard().open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            sets = self._read()
            sets[wanted.key] = {
                "supersedes": _digest(below),
                "packages": [package.to_json() for package in packages],
            }
            document = {"version": _VERSION, "sets": dict(sorted(sets.items()))}
            with replacing(self.path) as fresh, writing(fresh):
                fresh.write_text(json.dumps(document, indent=1) + "\n")

    def _guard(self) -> Path:
        """What writers of this file queue at; not beside it, where it would be in the way."""
        name = hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:16]
        folder = cache_dir() / "guards"
        folder.mkdir(exist_ok=True)
        return folder / name

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path}: not a lock file: {error}", hint="delete it") from None
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise InputError(f"{self.path}: a lock file of another version", hint="delete it")
        sets = document.get("sets")
        if not isinstance(sets, dict):
            raise InputError(f"{self.path}: a lock file without sets", hint="delete it")
        return sets


def default_lock(*, frozen: bool = False) -> Lock:
    """The user's own lock upon the one that ships with nitro."""
    shipped = Lock(resource("amis") / "debian.lock")
    return Lock(state_dir() / "debian.lock", base=shipped, frozen=frozen)


def _digest(packages: tuple[Package, ...] | None) -> str | None:
    if packages is None:
        return None
    return hashlib.sha256("\n".join(p.sha256 for p in packages).encode()).hexdigest()
