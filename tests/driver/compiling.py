"""Compiles the driver's host binding with Debian's compiler, whatever this machine has."""

from __future__ import annotations

import shutil
from pathlib import Path

from nitro.debian import Tree, Wanted, chroot, tree
from nitro.paths import resource

SOURCES = resource("drivers") / "ena"
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")
# Debian 12: what is built here runs on this machine's libc, which is that or newer.
GCC = Wanted(("gcc-12", "libc6-dev"), "bookworm")
CLANG = Wanted(("clang-14", "libclang-rt-14-dev", "libc6-dev", "binutils"), "bookworm")


def copy_sources(folder: Path) -> None:
    for name in ("core", "host"):
        shutil.copytree(SOURCES / name, folder / name, dirs_exist_ok=True)


def sources(folder: Path, *names: str) -> list[str]:
    """The .c files of core/ and the files of host/ named, as seen from /build."""
    core = sorted(f"core/{path.name}" for path in (folder / "core").glob("*.c"))
    return [f"/build/{name}" for name in (*core, *(f"host/{name}" for name in names))]


def compile_in(folder: Path, compiler: Tree, *arguments: str) -> str:
    """Run the compiler of a tree with `folder` at /build."""
    name = "clang-14" if any(p.name == "clang-14" for p in compiler.packages) else "gcc-12"
    return chroot.run([compiler], [name, *WARNINGS, *arguments], folder)


def host_library(folder: Path, *, sanitize: bool = False) -> Path:
    """The core and its host binding as a shared library in `folder`."""
    copy_sources(folder)
    extra = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if sanitize else []
    compile_in(
        folder,
        tree(GCC),
        *("-O2", "-g", "-fPIC", "-shared", *extra, "-o", "/build/libena.so"),
        *sources(folder, "os.c", "host.c"),
    )
    return folder / "libena.so"
