"""What a recipe tells the guest's init: /etc/nitro/recipe, and /etc/nitro/run, the command.

A command that another user than root runs is started by gosu, which knows the guest's users and
needs nothing else of the guest.
"""

from __future__ import annotations

import json
import shlex

from nitro.arch import Arch
from nitro.debian import Tree, Wanted
from nitro.image import users
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

_GOSU = "/usr/lib/nitro/gosu"


def wanted(recipe: Recipe) -> list[Wanted]:
    """The package of gosu, where the recipe's user is not root."""
    return [] if recipe.user == "root" else [_gosu(recipe.suite, recipe.arch)]


def add_gosu(rootfs: Rootfs, tree: Tree) -> None:
    rootfs.copy(_GOSU, tree.path("/usr/sbin/gosu"), "system", "Debian")


def _gosu(suite: str, arch: Arch) -> Wanted:
    return Wanted(("gosu",), suite, closure=False, arch=arch)


def add(rootfs: Rootfs, recipe: Recipe) -> None:
    """Put both files into `rootfs`."""
    settings = {
        "NAME": recipe.name,
        "PORTS": " ".join(map(str, recipe.tcp_ports)),
        "ON_EXIT": recipe.on_exit,
        # as init prints it: the inside of a JSON string
        "COMMAND": json.dumps(shlex.join(recipe.argv), ensure_ascii=False)[1:-1],
    }
    lines = "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items())
    exports = "".join(
        f"export {key}={shlex.quote(value)}\n" for key, value in sorted(recipe.env.items())
    )
    run = f"#!/usr/lib/nitro/busybox sh\n{exports}{_switch(rootfs, recipe)}"
    rootfs.add("/etc/nitro/recipe", Node("program", "nitro", source=lines.encode()))
    rootfs.add("/etc/nitro/run", Node("program", "nitro", source=run.encode(), executable=True))


def _switch(rootfs: Rootfs, recipe: Recipe) -> str:
    command = shlex.join(recipe.argv)
    if recipe.user == "root":
        return f"exec {command}\n"
    uid, gid = users.ids(rootfs, recipe.user)
    # The command may open its standard output once more, by its name.
    return f"chown {uid}:{gid} /dev/console\nexec {_GOSU} {recipe.user} {command}\n"
