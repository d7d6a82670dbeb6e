"""File capabilities in the guest: no archive that the kernel unpacks has extended attributes.

They are set before the command starts, by setfattr with libraries of its own.
"""

from __future__ import annotations

import shlex

from nitro.arch import Arch
from nitro.debian import Tree, Wanted
from nitro.image.linux import private
from nitro.image.rootfs import Node, Rootfs

SCRIPT = "/etc/nitro/attributes"
_HOME = "/usr/lib/nitro/setfattr"


def packages(arch: Arch) -> Wanted:
    return Wanted(("attr",), arch=arch)


def any_in(rootfs: Rootfs) -> bool:
    return any(node.capability for node in rootfs.nodes.values())


def add(rootfs: Rootfs, attr: Tree) -> None:
    """Put setfattr in, and the script that sets what the nodes of `rootfs` have."""
    setfattr = private.add(rootfs, attr, "setfattr", _HOME)
    lines = [
        f"{setfattr} -n security.capability -v 0x{node.capability.hex()} {shlex.quote(path)}\n"
        for path, node in sorted(rootfs.nodes.items())
        if node.capability
    ]
    text = "".join(lines).encode("utf-8", "surrogateescape")
    rootfs.add(SCRIPT, Node("program", "nitro", source=text))
