"""From a recipe to a disk: one bootable raw file, the same bytes on every machine.

    recipe ─ rootfs ─ cpio ─┐
    kernel, GRUB ───────────┴─ FAT ─ GPT ─ disk + manifest

It does not use the network (packages come through `nitro.debian`), knows nothing of AWS, and
runs nothing of what it packs: `docs/image.md` describes the format and why it is so.
"""

from __future__ import annotations

from nitro.image.record import Image

__all__ = ["Image", "build"]


def __getattr__(name: str) -> object:
    # Building needs pydantic and pyelftools, finding a built image does not.
    if name == "build":
        from nitro.image.builder import build

        return build
    raise AttributeError(name)
