"""What a recipe tells the guest's init: /etc/nitro/recipe, and /etc/nitro/run, the command.

A command that another user than root runs is started by gosu, which knows the guest's users and
needs nothing else of the guest.
"""

from __future__ import annotations

import json
import shlex

from nitro.arch import Arch
from nitro.debian import Tree, Wanted
from nitro.image import command, users
from nitro.image.linux import attributes
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
    if recipe.stop_signal:
        settings["STOP_SIGNAL"] = recipe.stop_signal
    lines = "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items())
    exports = "".join(
        f"export {key}={shlex.quote(value)}\n" for key, value in sorted(recipe.env.items())
    )
    run = f"#!/usr/lib/nitro/busybox sh\n{exports}{_switch(rootfs, recipe)}"
    rootfs.add("/etc/nitro/recipe", Node("program", "nitro", source=lines.encode()))
    rootfs.add("/etc/nitro/run", Node("program", "nitro", source=run.encode(), executable=True))


def _switch(rootfs: Rootfs, recipe: Recipe) -> str:
    found = command.locate(rootfs, recipe) if recipe.base else None
    line = shlex.join((found or recipe.argv[0], *recipe.argv[1:]))
    start = ""
    if attributes.SCRIPT in rootfs:
        start += f". {attributes.SCRIPT}\n"
    if recipe.working_directory:
        start += f"cd {shlex.quote(recipe.working_directory)}\n"
    if recipe.user == "root":
        return f"{start}exec {line}\n"
    uid, gid = users.ids(rootfs, recipe.user)
    # The command may open its standard output once more, by its name.
    return f"{start}chown {uid}:{gid} /dev/console\nexec {_GOSU} {recipe.user} {line}\n"
