"""Kernel modules: the ones an image needs, unpacked and in order of dependency."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nitro.errors import NitroError


@dataclass(frozen=True)
class Module:
    """A kernel module as the guest loads it: `elf` is its file, not compressed."""

    name: str
    elf: bytes


def in_order(tree: Path, names: Iterable[str]) -> list[Module]:
    """The modules `names` of the kernel whose modules lie below `tree`, what they need first.

    The order comes from the modules themselves ("depends=" in .modinfo), as depmod's does.
    Raises NitroError when one is missing.
    """
    files, inside = _index(tree)
    done: dict[str, Module] = {}

    def add(name: str, by: str) -> None:
        if name in done or name in inside:
            return
        if name not in files:
            raise NitroError(f"kernel {tree.name} has no module {name}, which {by} needs")
        elf = _read(files[name])
        for needed in _depends(elf):
            add(needed, name)
        done[name] = Module(name, elf)

    for name in names:
        add(_name(name), "the image")
    return list(done.values())


@cache
def _index(tree: Path) -> tuple[dict[str, Path], frozenset[str]]:
    """The files of a kernel's modules by name, and the names of those built in."""
    files = {_name(path.name.split(".ko")[0]): path for path in tree.rglob("*.ko*")}
    builtin = tree / "modules.builtin"
    lines = builtin.read_text().splitlines() if builtin.exists() else []
    return files, frozenset(_name(Path(line).stem) for line in lines)


def _name(text: str) -> str:
    """Modules are called by names with "_" whatever their file is called."""
    return text.replace("-", "_")


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _depends(elf: bytes) -> list[str]:
    start = elf.find(b"\0depends=")
    if start < 0:
        return []
    start += len(b"\0depends=")
    names = elf[start : elf.index(b"\0", start)].decode()
    return [_name(name) for name in names.split(",") if name]
