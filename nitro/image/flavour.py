"""The seam for kernels: what the builder asks of one, and which there are.

A recipe's key `kernel` names a flavour, with a name after a colon where a flavour has several
kernels. Another flavour is a package beside `nitro.image.linux` and a line in `FLAVOURS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nitro.debian import Lock, Package, Tree, Wanted
from nitro.errors import InputError
from nitro.image.decisions import Decision
from nitro.image.libraries import Sysroot
from nitro.image.linux.flavour import Linux
from nitro.image.osv.flavour import Osv
from nitro.image.rootfs import Rootfs
from nitro.progress import Reporter
from nitro.recipe import Recipe


class Flavour(Protocol):
    """A kernel for the image of one recipe. The methods are called in the order they have here.

    What its console says is read by `nitro.console`, which knows each flavour's lines.
    """

    def wanted(self) -> Sequence[Wanted]:
        """The packages that the image is made from and with, besides the recipe's own."""

    def needed(self, packages: Mapping[Wanted, Sequence[Package]]) -> Sequence[Wanted]:
        """The sets of `wanted` to unpack: all but those for making what the cache has already.

        `packages` is what each set was resolved to.
        """

    def examine(self, path: str, program: Path, sysroot: Sysroot) -> None:
        """Look at a program (guest path and file) before its libraries are looked for in `sysroot`.

        Raises InputError for one that this kernel cannot start.
        """

    def supplies(self, name: str) -> bool:
        """Whether guests have a program (by path), an ELF interpreter or a library (by soname)
        from the kernel or from what `add` puts in, so that the recipe need not bring it.
        """

    def add(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree]) -> Sequence[Package]:
        """Add to the recipe's contents what else the guest needs; returns whose files those are.

        `trees` has the sets that `needed` named. Raises InputError for contents with which this
        kernel cannot start.
        """

    def inputs(self) -> Sequence[Path]:
        """The files of this machine, beside the contents, whose change makes another image."""

    def minimum_memory_mib(self, rootfs: Rootfs) -> int:
        """The memory in MiB that a machine needs for the kernel and these contents."""

    def decisions(self, rootfs: Rootfs) -> Sequence[Decision]:
        """What was decided for these contents, beside the libraries."""

    def write_disk(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree], out: Path) -> dict[str, Any]:
        """Write the bootable disk to `out`, the same bytes for the same inputs.

        Returns the manifest's keys "kernel" ("release" and "command_line"), "layers" and, when it
        is known already, "digest". Raises InputError when the contents are too large.
        """


#: How to make each flavour: from the recipe, its lock, where to report, whether to trace.
FLAVOURS: dict[str, Callable[[Recipe, Lock, Reporter, bool], Flavour]] = {
    "linux": Linux,
    "osv": Osv,
}


def create(recipe: Recipe, lock: Lock, report: Reporter, *, trace: bool) -> Flavour:
    """The flavour that `recipe.kernel` names.

    Raises InputError when there is none of that name.
    """
    if recipe.flavour not in FLAVOURS:
        known = ", ".join(FLAVOURS)
        raise InputError(f"{recipe.name}: no kernel {recipe.kernel!r}", hint=f"known: {known}")
    return FLAVOURS[recipe.flavour](recipe, lock, report, trace)
