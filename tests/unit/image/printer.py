"""A flavour of kernel that only prints: a boot sector with the recipe's command line.

It shows that a kernel comes in by `nitro.image.flavour.FLAVOURS` alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro.debian import Lock, Package, Tree, Wanted
from nitro.errors import InputError
from nitro.image.decisions import Decision
from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from nitro.recipe import Recipe

# 16-bit code at 0x7c00: write the bytes behind it, up to a zero, to COM1; then halt.
_CODE = bytes.fromhex("fc 31c0 8ed8 be167c baf803 ac 84c0 7403 ee ebf8 f4 ebfd")


@dataclass
class Printer:
    """See `nitro.image.flavour.Flavour`."""

    recipe: Recipe
    lock: Lock
    report: Reporter
    trace: bool

    def wanted(self) -> Sequence[Wanted]:
        return ()

    def needed(self, packages: Mapping[Wanted, Sequence[Package]]) -> Sequence[Wanted]:
        return ()

    def examine(self, path: str, program: Path, sysroot: Sysroot) -> None:
        pass

    def inputs(self) -> Sequence[Path]:
        return ()

    def supplies(self, name: str) -> bool:
        return name in ("/bin/print", "libprint.so.1")

    def add(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree]) -> Sequence[Package]:
        line = json.dumps({"nitro": "start", "uptime": 0, "command": " ".join(self.recipe.argv)})
        rootfs.add("/line", Node("program", "printer", source=line.encode()))
        return ()

    def minimum_memory_mib(self, rootfs: Rootfs) -> int:
        return 64 + rootfs.size // (1 << 20)

    def decisions(self, rootfs: Rootfs) -> Sequence[Decision]:
        return [Decision("kernel", "printer", "it is the only one here")]

    def write_disk(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree], out: Path) -> dict[str, Any]:
        line = rootfs.nodes["/line"].source
        assert isinstance(line, bytes)
        sector = (_CODE + line + b"\n\0").ljust(510, b"\0") + b"\x55\xaa"
        if len(sector) > 512:
            raise InputError(f"{self.recipe.name}: the line is longer than a sector")
        out.write_bytes(sector.ljust(1 << 20, b"\0"))
        name = self.recipe.kernel.partition(":")[2]
        return {"kernel": {"release": name, "command_line": ""}, "layers": []}
