"""Where nitro stores files on this machine: a cache that may be deleted, and state that may not.

Both follow the XDG base directories; `NITRO_CACHE` and `NITRO_STATE` override them (tests do).
"""

from __future__ import annotations

import os
from pathlib import Path

from nitro.errors import InputError

PACKAGE = Path(__file__).resolve().parent


def cache_dir() -> Path:
    """Downloads, unpacked packages, built images: everything that can be produced again.

    Raises InputError for a path at which no folder can be.
    """
    return _directory("NITRO_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """The running local Nitro, lock files of the user's own: what cannot be produced again.

    Raises as `cache_dir` does.
    """
    return _directory("NITRO_STATE", "XDG_STATE_HOME", ".local/state")


def resource(name: str) -> Path:
    """A folder that travels with the package (`amis`, `drivers`).

    In a wheel it lies inside the package, in a checkout beside it.
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def _directory(own: str, xdg: str, fallback: str) -> Path:
    if value := os.environ.get(own):
        path = Path(value).absolute()
    else:
        path = Path(os.environ.get(xdg) or Path.home() / fallback) / "nitro"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path}: no folder can be there", hint=f"{own} names another one"
        ) from None
    return path
