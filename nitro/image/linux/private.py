"""Programs of nitro's own in a guest, with libraries that the guest's programs never see."""

from __future__ import annotations

from nitro.debian import Tree
from nitro.image.libraries import Closure, Sysroot
from nitro.image.rootfs import Node, Rootfs


def add(rootfs: Rootfs, tree: Tree, name: str, home: str) -> str:
    """Put the program /usr/bin/`name` of `tree` and its libraries into the folder `home`.

    Returns the start of a command line for a shell.
    """
    closure = Closure(Sysroot(tree.root), tree.arch)
    program = tree.path(f"/usr/bin/{name}")
    closure.add(f"/usr/bin/{name}", program)
    loader = ""
    for path, file in sorted({**closure.found, f"/usr/bin/{name}": program}.items()):
        base = path.rsplit("/", 1)[1]
        loader = base if base.startswith("ld-linux") else loader
        rootfs.add(f"{home}/{base}", Node("system", "Debian", source=file, executable=True))
    return f"{home}/{loader} --library-path {home} {home}/{name}"
