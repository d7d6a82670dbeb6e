"""Files for a prebuilt OSv kernel: a copy of its ELF file with another RAMFS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nitro.image.osv import ramfs


def compose(tree: Path, files: Mapping[str, bytes], out: Path) -> None:
    """Write the kernel built in the OSv source tree `tree` to `out`, with `files` in it.

    `files`: content by absolute path; what the RAMFS held before stays. Raises ValueError when the
    kernel is not put together as expected.
    """
    built = tree / "build" / "last"
    layout = ramfs.layout_from_symbols(built / "loader.elf")
    kernel = (built / "loader-stripped.elf").read_bytes()
    nodes = ramfs.read(kernel, layout)
    nodes |= {path: ramfs.Node(content) for path, content in files.items()}
    out.write_bytes(ramfs.replace(kernel, layout, nodes))
