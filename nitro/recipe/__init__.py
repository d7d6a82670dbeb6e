"""Recipes: what goes into an image and what it does there, as TOML that a person writes.

`find` locates a recipe's file, `model` reads it. Only the second needs pydantic, which is
imported when it is used: finding an image that is already built must not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro.recipe.find import find, is_program, name_from, names
from nitro.recipe.reference import is_reference
from nitro.recipe.runtime import is_script

if TYPE_CHECKING:
    from nitro.recipe.model import (
        DEFAULT_EXTRAS,
        Extra,
        File,
        Launch,
        Recipe,
        for_container,
        for_program,
        for_script,
        load,
        with_driver,
        with_kernel,
        with_trace,
    )

__all__ = [
    "DEFAULT_EXTRAS",
    "Extra",
    "File",
    "Launch",
    "Recipe",
    "find",
    "for_container",
    "for_program",
    "for_script",
    "is_program",
    "is_reference",
    "is_script",
    "load",
    "name_from",
    "names",
    "with_driver",
    "with_kernel",
    "with_trace",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from nitro.recipe import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
