"""What was probably meant by a path that is not there."""

from __future__ import annotations

import glob
import re

from nitro.image.libraries import Sysroot


def by(sysroot: Sysroot, path: str, *, everywhere: bool = True) -> str | None:
    """The likeliest file in place of the absolute `path`; None when none is alike.

    Such are /usr/bin/php8.4 for /usr/bin/php, to which package scripts would have made a link, and
    /usr/sbin/nginx for /usr/bin/nginx. Where `everywhere` is false, as for this machine's root,
    no other folder is looked at.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    if not name:
        return None
    place = sysroot.locate(folder or "/")
    if place is not None and place.is_dir():
        numbered = re.compile(re.escape(name) + r"[-.0-9]+")
        names = [one.name for one in place.iterdir() if numbered.fullmatch(one.name)]
        if names:
            return f"{folder}/{max(names)}"
    return _elsewhere(sysroot, folder, name) if everywhere else None


def _elsewhere(sysroot: Sysroot, folder: str, name: str) -> str | None:
    """The file of that name with the shortest path, a program in place of a program."""
    root, program = sysroot.root, folder.endswith("bin")
    found = [one.relative_to(root) for one in root.glob(f"**/{glob.escape(name)}")]
    likely = [f"/{one}" for one in found if one.parent.name.endswith("bin") or not program]
    return min(likely, key=lambda one: ("/doc/" in one, len(one), one), default=None)
