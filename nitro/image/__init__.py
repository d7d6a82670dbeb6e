"""From a recipe to a disk: one bootable raw file, the same bytes on every machine.

    recipe ─ rootfs ─ cpio ─┐
    kernel, GRUB ───────────┴─ FAT ─ GPT ─ disk + manifest

It does not use the network (packages come through `nitro.debian`), knows nothing of AWS, and
runs nothing of what it packs: `docs/image.md` describes the format and why it is so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nitro import recipe
from nitro.image import build_cache
from nitro.image.build_cache import Image

if TYPE_CHECKING:
    from nitro.image.builder import Prepared as Prepared
    from nitro.image.builder import build as build
    from nitro.image.builder import prepare as prepare

__all__ = ["Image", "Prepared", "build", "known", "prepare"]


def known(name_or_path: str | Path, *, trace: bool = False) -> Image | None:
    """The image of a recipe, if `build` would find nothing to do; costs milliseconds.

    Raises InputError when there is no such recipe.
    """
    name = str(name_or_path)
    if recipe.is_reference(name) or recipe.is_script(name) or recipe.is_program(name):
        return None
    return build_cache.find(build_cache.request(recipe.find(name_or_path), trace=trace))


def __getattr__(name: str) -> object:
    # Building needs pydantic and pyelftools; finding a built image does not.
    if name in ("Prepared", "build", "prepare"):
        from nitro.image import builder

        return getattr(builder, name)
    raise AttributeError(name)
