"""`nitro init`: a recipe and settings to start from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from nitro.cli.output import say
from nitro.errors import InputError
from nitro.recipe import name_from
from nitro.replacing import replacing

_SETTINGS = """\
# Settings of nitro for this folder and those below it; docs/recipes.md lists every key.
cloud = "local"        # or "aws"
# region = "eu-west-1"
# profile = "default"
# allow = "203.0.113.7/32"  # who may reach the ports of an instance
"""

_RECIPE = """\
# A recipe: what the image is made of. `nitro build {name}.toml` makes it.
name = "{name}"
"""


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The project's; this one if left out.")] = Path(),
) -> None:
    """Look at a folder and write a nitro.toml and a recipe for it, with the reason of each line."""
    from nitro.recipe.project import recipe_for

    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "there is no such folder"
        raise InputError(f"{folder}: {what}", hint="give the folder of a project")
    name = name_from(folder.resolve().name)
    texts = {
        folder / "nitro.toml": _SETTINGS,
        folder / f"{name}.toml": _RECIPE.format(name=name) + recipe_for(folder),
    }
    for path in texts:
        if path.exists():
            raise InputError(f"{path} already exists", hint="choose another folder")
    with ExitStack() as drafts:  # both or none
        for path, text in texts.items():
            drafts.enter_context(replacing(path)).write_text(text)
    for path in texts:
        say(f"wrote {path}")
    say(f"next: nitro deploy {folder / f'{name}.toml'} --instance c5.large")
