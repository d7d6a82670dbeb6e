"""`nitro run --missing` and `--complete`: what the program sought in vain, as lines of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nitro.cli.output import print_text, say
from nitro.console import milestones
from nitro.errors import InputError

if TYPE_CHECKING:
    from nitro.image import Image
    from nitro.image.missing import Lack
    from nitro.progress import Reporter
    from nitro.recipe import Recipe

_TRIES = 5
SETTLE = 3.0  # seconds for which a program that listens is watched: it may end at once


def lack(recipe: Recipe, built: Image, console: str) -> Lack:
    """What `recipe` lacks, from the console of a traced machine."""
    from nitro.image import missing
    from nitro.image.builder import lock_of
    from nitro.image.linux.trace import missing_files

    files = json.loads(built.manifest_path.read_text())["files"]
    present = {PurePosixPath(file["path"]).name for file in files}
    return missing.lack(recipe, missing_files(console), present, lock_of(recipe))


def show(recipe: Recipe, built: Image, console: str) -> None:
    """Print what was sought in vain, then the lines to paste."""
    from nitro.image.linux.trace import missing_files

    for path in missing_files(console):
        print_text(path)
    lines = lack(recipe, built, console).lines(recipe)
    if lines:
        say(f"the recipe's packages, or others of Debian's, have of these; in {recipe.name}.toml:")
    for line in lines:
        print_text(line)


def went_well(recipe: Recipe, console: str) -> bool:
    """Whether the program listens on its ports, or has ended with status 0, by the last it did."""
    for one in reversed(milestones(console)):
        if one.name == "exit":
            return one.fields.get("code") == 0
        if one.name == "ready" and recipe.tcp_ports:
            return True
    return False


def decided(recipe: Recipe, console: str) -> bool:
    """Whether it is known how the program went."""
    ended = any(one.name == "exit" for one in milestones(console))
    return ended or went_well(recipe, console)


def complete(
    recipe: Recipe,
    boot: Callable[[Image], str],
    report: Reporter,
    *,
    locked: bool,
    write: bool,
) -> bool:
    """Add to `recipe` what its program lacks, until it goes well; whether it does.

    `boot` returns the console of a machine. The difference is printed and, with `write`, put into
    the recipe's file. Raises InputError when that cannot be changed.
    """
    from nitro import image
    from nitro.image import missing

    if write and recipe.file is None:
        raise InputError(f"--write: {recipe.name} has no file", hint="write a recipe first")
    now, lacks = recipe, missing.Lack()
    for _ in range(_TRIES):
        built = image.build(now, report=report, locked=locked, trace=True)
        console = boot(built)
        good = went_well(now, console)
        found = lack(now, built, console)
        if good or not found:
            break
        for line in found.lines(now):
            say(f"it lacks: {line}")
        lacks = missing.together(recipe, lacks, found)
        now = missing.completed(recipe, lacks)
    _show(recipe, lacks, good=good, tried_all=not found, write=write)
    return good


def _show(old: Recipe, found: Lack, *, good: bool, tried_all: bool, write: bool) -> None:
    from nitro.recipe.edit import with_entries

    if not good and tried_all:
        say("the program still does not go well, and nothing more of Debian's is known to help")
    elif not good:
        say(f"the program still does not go well: it lacked more in each of {_TRIES} runs")
    elif not found:
        say("the recipe lacks nothing")
    for line in found.lines(old):
        print_text(line)
    if write and old.file is not None and found:
        text = with_entries(old.file.read_text(), "packages", found.packages)
        old.file.write_text(with_entries(text, "files", found.entries))
        say(f"wrote {old.file}")
