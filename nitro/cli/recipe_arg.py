"""The arguments of a command that name a recipe or a program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nitro.errors import InputError
from nitro.ports import Port

if TYPE_CHECKING:
    from nitro.recipe import Recipe


def find(
    name: str,
    ports: Sequence[str] | None = None,
    env: Sequence[str] | None = None,
    arguments: Sequence[str] | None = None,
) -> Recipe:
    """The recipe called `name`, or one made for the program at that path.

    Raises InputError when the extra words do not fit: a recipe states its own.
    """
    from nitro import recipe

    words = {"--port": ports, "--env": env, "arguments": arguments}
    given = [option for option, value in words.items() if value]
    if not recipe.is_program(name):
        if given:
            raise InputError(
                f"{', '.join(given)} given with the recipe {name}",
                hint="a recipe states its own; change the file",
            )
        return recipe.load(name)
    return recipe.for_program(
        Path(name),
        ports=[_port(port) for port in ports or ()],
        env=dict(_pair(pair) for pair in env or ()),
        arguments=list(arguments or ()),
    )


def _port(text: str) -> Port:
    try:
        return Port.parse(text)
    except InputError as error:
        raise InputError(f"--port {error.what}", hint=error.hint) from None


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError(f"--env {text} is not KEY=VALUE", hint="write --env KEY=VALUE")
    return key, value
