"""Which file of the guest a recipe's command line starts."""

from __future__ import annotations

from nitro.image.rootfs import Rootfs
from nitro.recipe import Recipe


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
