"""The arguments of a command that name a recipe or a program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nitro.errors import InputError
from nitro.ports import Port

if TYPE_CHECKING:
    from nitro.progress import Reporter
    from nitro.recipe import Recipe

# An AMI's id, right or mistyped, or a parameter as EC2's RunInstances takes it.
_AMI = re.compile(r"ami-[0-9a-f]+|resolve:ssm:.*")


def names_ami(name: str) -> bool:
    """Whether a word means an AMI that is there already, not something to build."""
    return _AMI.fullmatch(name) is not None


def find(
    name: str,
    ports: Sequence[str] | None = None,
    env: Sequence[str] | None = None,
    arguments: Sequence[str] | None = None,
    kernel: str | None = None,
    driver: str | None = None,
    *,
    report: Reporter | None = None,
) -> Recipe:
    """The recipe called `name`, or one made for the program or container image of that name.

    What a container image states is filled in; `kernel` and `driver` replace the recipe's own.
    Raises InputError when the extra words do not fit: a recipe states its own.
    """
    from nitro import recipe

    made = _find(name, ports, env, arguments, report)
    return recipe.with_driver(recipe.with_kernel(made, kernel), driver)


def _find(
    name: str,
    ports: Sequence[str] | None,
    env: Sequence[str] | None,
    arguments: Sequence[str] | None,
    report: Reporter | None,
) -> Recipe:
    from nitro import container, recipe

    if names_ami(name):
        raise InputError(
            f"{name} is an AMI, and there is nothing to build",
            hint=f"`nitro launch {name} --instance TYPE` starts it; `nitro probe` measures that",
        )
    words = {"--port": ports, "--env": env, "arguments": arguments}
    given = [option for option, value in words.items() if value]
    if recipe.is_reference(name):
        made = recipe.for_container(name, ports=parse_ports(ports), env=parse_environment(env))
        return container.complete(made, arguments=list(arguments or ()), report=report)
    if recipe.is_script(name):
        return recipe.for_script(
            Path(name),
            ports=parse_ports(ports),
            env=parse_environment(env),
            arguments=list(arguments or ()),
        )
    if not recipe.is_program(name):
        if given:
            raise InputError(
                f"{', '.join(given)} given with the recipe {name}",
                hint="a recipe states its own; change the file",
            )
        return container.complete(recipe.load(name), report=report)
    return recipe.for_program(
        Path(name),
        ports=parse_ports(ports),
        env=parse_environment(env),
        arguments=list(arguments or ()),
    )


def parse_ports(texts: Sequence[str] | None) -> list[Port]:
    return [_port(text) for text in texts or ()]


def parse_environment(pairs: Sequence[str] | None) -> dict[str, str]:
    return dict(_pair(pair) for pair in pairs or ())


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
