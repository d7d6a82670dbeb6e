"""Files for a prebuilt OSv kernel: a copy of its ELF file with another RAMFS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nitro.image.osv import artifact, ramfs
from nitro.image.rootfs import Node


def compose(tree: Path, files: Mapping[str, bytes], out: Path) -> None:
    """Write the kernel built in the OSv source tree `tree` to `out`, with `files` in it.

    `files`: content by absolute path; what the RAMFS held before stays. Raises InputError when the
    kernel is not put together as expected, ValueError when the files do not fit.
    """
    kernel = artifact.read(tree / "build" / "last" / "loader-stripped.elf")
    nodes = ramfs.read(kernel.segment, kernel.entries)
    nodes |= {path: Node("program", "benchmark", source=file) for path, file in files.items()}
    with out.open("wb") as file:
        file.writelines(ramfs.compose(kernel.segment, kernel.layout, nodes).chunks())
