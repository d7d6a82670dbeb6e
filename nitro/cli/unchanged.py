"""`nitro build` of what is built already: the common case, which is to cost next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro.cli.output import print_text
from nitro.errors import NitroError
from nitro.image import known

if TYPE_CHECKING:
    from nitro.image import Image


def show(recipe: str) -> bool:
    """Print the image of a recipe when nothing that it is made from has changed."""
    try:
        image = known(recipe)
    except (NitroError, OSError):  # the command says what is wrong
        return False
    if image is not None:
        print_text(text(image))
    return image is not None


def text(image: Image) -> str:
    """What `nitro build` prints for people."""
    how = "unchanged" if image.cached else f"built in {image.build_seconds:.1f} s"
    return f"{image.path}\n{image.digest}  {image.size_bytes / 1e6:.1f} MB  {how}"
