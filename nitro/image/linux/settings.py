"""What a recipe tells the guest's init: /etc/nitro/recipe, and /etc/nitro/run, the command."""

from __future__ import annotations

import json
import shlex

from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe


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
    run = f"#!/usr/lib/nitro/busybox sh\n{exports}exec {shlex.join(recipe.argv)}\n"
    rootfs.add("/etc/nitro/recipe", Node("program", "nitro", source=lines.encode()))
    rootfs.add("/etc/nitro/run", Node("program", "nitro", source=run.encode(), executable=True))
