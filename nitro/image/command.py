"""Which file of the guest a recipe's command line starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Rootfs
from nitro.recipe import File, Recipe


def locate(rootfs: Rootfs, recipe: Recipe) -> str | None:
    """The path of the program that the command names, found as a shell would; None if none is."""
    word = recipe.argv[0]
    if word.startswith("/"):
        places = [word]
    elif "/" in word:
        places = [f"{recipe.working_directory or ''}/{word}"]
    else:
        places = [f"{folder}/{word}" for folder in recipe.env.get("PATH", "").split(":") if folder]
    return next((place for place in places if _is_program(rootfs, place)), None)


def _is_program(rootfs: Rootfs, path: str) -> bool:
    node = rootfs.find(path)
    return node is not None and node.source is not None


def unnamed(
    recipe: Recipe, packages: Path | None, supplies: Callable[[str], bool]
) -> tuple[File, ...]:
    """The programs that the command and the setup start, where the packages, unpacked, have them
    and no key of the recipe names them."""
    if recipe.base or packages is None:
        return ()
    brought = [one.target for one in (*recipe.programs, *recipe.files)] + [*recipe.links]
    found = []
    for path in dict.fromkeys((recipe.argv[0], *(recipe.setup or ())[:1])):
        if not path.startswith("/") or supplies(path):
            continue
        if any(path == one or path.startswith(f"{one}/") for one in brought):
            continue
        source = Sysroot(packages).locate(path)
        if source is not None and source.is_file():
            found.append(File(source=path))
    return tuple(found)
