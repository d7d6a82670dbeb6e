"""The C loop to test: this machine's, or one that Debian's compiler makes."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from nitro.debian import tree
from nitro.ena.native import build
from nitro.ena.native.loop import Loop, load
from tests.driver.compiling import GCC, compile_in


def any_loop() -> Loop:
    return load() or _compiled()


@cache
def _compiled() -> Loop:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in build.SOURCES.glob("*.[ch]"):
            shutil.copy(source, folder)
        sources = sorted(f"/build/{source.name}" for source in folder.glob("*.c"))
        compile_in(folder, tree(GCC), *build.FLAGS, *sources, "-o", "/build/library.so")
        return Loop(folder / "library.so")
