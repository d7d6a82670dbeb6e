"""What a container image says about running it, as keys of the recipe that is based on it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nitro.container.config import Config
from nitro.container.container import find
from nitro.errors import InputError
from nitro.progress import Reporter
from nitro.recipe import Recipe

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def complete(
    recipe: Recipe, *, arguments: Sequence[str] = (), report: Reporter | None = None
) -> Recipe:
    """`recipe` with what its container image states and it does not; itself when it has none.

    `arguments` take the place of the image's Cmd. What the image states and nitro does not honour
    is said in a line. Raises InputError for an image that cannot be used.
    """
    if recipe.base is None or recipe.completed:
        return recipe
    report = report or Reporter()
    pinned, source = find(recipe.base, recipe.folder, recipe.arch, report)
    config = source.config
    usable = {key: value for key, value in config.env.items() if _VARIABLE.fullmatch(key)}
    stated = {
        "ports": config.ports,
        "user": _user(config),
        "working_directory": config.run.working_dir or "/",
        "stop_signal": config.stop_signal,
        "extras": ("resolv",),
    }
    keys = {key: value for key, value in stated.items() if key not in recipe.model_fields_set}
    ports = keys.get("ports", recipe.ports)
    if "on_exit" not in recipe.model_fields_set:
        keys["on_exit"] = "restart" if ports else "poweroff"
    for line in _notes(config, sorted(set(config.env) - set(usable))):
        report.note(f"{pinned}: {line}")
    return recipe.model_copy(
        update={
            **keys,
            "base": str(pinned),
            "command": _command(recipe, config, arguments),
            "env": {**usable, **recipe.env},
            "completed": True,
        }
    )


def _command(recipe: Recipe, config: Config, arguments: Sequence[str]) -> tuple[str, ...]:
    if recipe.command is not None:
        return recipe.command
    if recipe.programs:
        return recipe.argv
    words = (*config.run.entrypoint, *(arguments or config.run.cmd))
    if not words:
        raise InputError(
            f"{recipe.base}: the image names no command",
            hint='give one after --, or in a recipe: command = ["/…"]',
        )
    return words


def _user(config: Config) -> str:
    """ "" and "0:0" are root; "name:" is a name. Raises InputError for what no user is called."""
    user = config.run.user.strip().removesuffix(":")
    if user in ("", "0", "0:0", "root:root", "root:0"):
        return "root"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", user):
        raise InputError(f"the container image runs as {user!r}", hint="set user in a recipe")
    return user


def _notes(config: Config, unusable: Sequence[str]) -> list[str]:
    lines = []
    if config.run.volumes:
        volumes = ", ".join(sorted(config.run.volumes))
        lines.append(f"volumes are folders in memory, empty unless the image fills them: {volumes}")
    if config.run.healthcheck and config.run.healthcheck.get("Test") != ["NONE"]:
        lines.append("its health check is not used; an instance is ready when its ports listen")
    if unusable:
        lines.append(f"variables that no shell can export are left out: {', '.join(unusable)}")
    return lines
