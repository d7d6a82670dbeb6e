"""The file that a path which is not there probably stands for."""

from __future__ import annotations

import glob
import re

from nitro.image.libraries import Sysroot


def similar_path(sysroot: Sysroot, path: str, *, everywhere: bool = True) -> str | None:
    """The likeliest file in place of the absolute `path`; None when none is alike.

    Such are /usr/bin/php8.4 for /usr/bin/php and /usr/sbin/squid-gnutls for /usr/sbin/squid, to
    which package scripts would have made links, and /usr/sbin/nginx for /usr/bin/nginx. Where
    `everywhere` is false, as for this machine's root, no other folder is looked at.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    if not name:
        return None
    place = sysroot.locate(folder or "/")
    if place is not None and place.is_dir():
        beside = [one.name for one in place.iterdir()]
        numbered = re.compile(re.escape(name) + r"[-.0-9]+")
        if names := list(filter(numbered.fullmatch, beside)):
            return f"{folder}/{max(names)}"
        if moved := _elsewhere(sysroot, folder, name) if everywhere else None:
            return moved
        names = [one for one in beside if one.startswith((f"{name}-", f"{name}."))]
        # Of several, such as redis-cli and redis-server, none is likelier.
        return f"{folder}/{names[0]}" if len(names) == 1 and folder.endswith("bin") else None
    return _elsewhere(sysroot, folder, name) if everywhere else None


def _elsewhere(sysroot: Sysroot, folder: str, name: str) -> str | None:
    """The file of that name with the shortest path, a program in place of a program."""
    root, program = sysroot.root, folder.endswith("bin")
    found = [one.relative_to(root) for one in root.glob(f"**/{glob.escape(name)}")]
    likely = [f"/{one}" for one in found if one.parent.name.endswith("bin") or not program]
    return min(likely, key=lambda one: ("/doc/" in one, len(one), one), default=None)
