"""Where the links of packages lead: Debian's packages share files by links into one another."""

from __future__ import annotations

from pathlib import Path

from nitro.errors import InputError
from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Rootfs

_DOCUMENTATION = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/")


def lacking(rootfs: Rootfs, packages: Sysroot) -> dict[str, tuple[Path, str]]:
    """Guest path → file or folder of the packages, and the link that leads there: of each link of
    theirs that leads to nothing in the guest.

    One whose target no package has, as what a package's script would make, stays as it is.
    """
    found: dict[str, tuple[Path, str]] = {}
    for path, node in rootfs.nodes.items():
        if node.layer != "packages" or node.target is None:
            continue
        try:
            goal = rootfs.settle(path, follow=True)
        except InputError:  # a circle
            continue
        if goal in rootfs.nodes or goal.startswith(_DOCUMENTATION):
            continue
        source = packages.locate(goal)
        if source is not None:
            found.setdefault(goal, (source, path))
    return found
