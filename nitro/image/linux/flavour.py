"""The flavour "linux": Debian's cloud kernel, an initial file system, GRUB for BIOS and UEFI."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nitro.debian import Lock, Package, Tree, Wanted
from nitro.errors import InputError
from nitro.image.decisions import Decision, asked
from nitro.image.formats import system_calls
from nitro.image.libraries import Sysroot
from nitro.image.linux import (
    attributes,
    disk,
    driver,
    grub,
    guest,
    kernel,
    layers,
    memory,
    settings,
    trace,
)
from nitro.image.rootfs import Rootfs
from nitro.progress import Reporter
from nitro.recipe import Recipe

_DRIVER = "the default; the kernel's own takes over where nitro's brings no link up"
_BUSYBOX = ("/bin/sh", "/usr/bin/sh", "/usr/bin/env")


@dataclass
class Linux:
    """See `nitro.image.flavour.Flavour`."""

    recipe: Recipe
    lock: Lock
    report: Reporter
    trace: bool
    _module: Path | None = field(default=None, init=False)
    _zstd: Tree | None = field(default=None, init=False)
    _packed: list[layers.Packed] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        if recipe.launch:
            raise InputError(
                f"{recipe.name}: launch is for OSv, and the kernel is Linux",
                hint='kernel = "osv:NAME", or --kernel',
            )
        if recipe.strace and not system_calls.matching(recipe.strace):
            raise InputError(
                f'{recipe.name}: strace: no system call begins with "{recipe.strace}"',
                hint='"syscall*" takes every call',
            )
        if recipe.strace and self.trace:
            raise InputError(
                f"{recipe.name}: strace, and the search for missing files, trace the program both",
                hint="leave one of them out",
            )

    @cached_property
    def _release(self) -> str:
        return kernel.current_release(self.recipe.suite, self.recipe.arch, self.lock, self.report)

    @property
    def _kernel(self) -> tuple[Wanted, Wanted]:
        return kernel.wanted(self._release, self.recipe.suite, self.recipe.arch)

    @property
    def _busybox(self) -> Wanted:
        return guest.wanted(self.recipe.suite, self.recipe.arch)

    @property
    def _compiler(self) -> tuple[Wanted, Wanted]:
        return driver.wanted(self._release, self.recipe.suite, self.recipe.arch)

    def wanted(self) -> list[Wanted]:
        compiler = self._compiler if self.recipe.driver == "nitro" else ()
        return [*self._for_image(), *compiler]

    def needed(self, packages: Mapping[Wanted, Sequence[Package]]) -> list[Wanted]:
        if self.recipe.driver != "nitro":
            return self._for_image()
        headers, tools = self._compiler
        self._module = driver.cached(self._release, packages[headers], packages[tools])
        return self._for_image() if self._module else self.wanted()

    def _for_image(self) -> list[Wanted]:
        arch = self.recipe.arch
        tracer = [trace.packages(arch)] if self.trace or self.recipe.strace else []
        grubs = [grub.packages(arch), grub.LIBRARIES]
        own = settings.wanted(self.recipe)
        if self.recipe.base:
            own.append(attributes.packages(arch))
        return [*self._kernel, self._busybox, layers.ZSTD, *grubs, *own, *tracer]

    def examine(self, path: str, program: Path, sysroot: Sysroot) -> None:
        """Linux starts every ELF file and every script."""

    def inputs(self) -> list[Path]:
        return []

    def supplies(self, name: str) -> bool:
        return self.recipe.base is None and name in _BUSYBOX

    def add(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree]) -> list[Package]:
        self._zstd = trees[layers.ZSTD]
        if attributes.any_in(rootfs):  # before the settings, whose script applies them
            attributes.add(rootfs, trees[attributes.packages(self.recipe.arch)])
        settings.add(rootfs, self.recipe)
        linux = kernel.Kernel(self._release, trees[self._kernel[1]])
        busybox = trees[self._busybox]
        bare = self.recipe.base is not None
        guest.add(rootfs, linux, busybox, self._driver(trees), bare=bare)
        gosu = settings.wanted(self.recipe)
        for wanted in gosu:
            settings.add_gosu(rootfs, trees[wanted])
        if self.trace or self.recipe.strace:
            strace = trees[trace.packages(self.recipe.arch)]
            if self.recipe.strace:
                trace.add_calls(rootfs, strace, self.recipe.strace)
            else:
                trace.add_missing(rootfs, strace)
        used = [trees[wanted] for wanted in (*self._kernel, self._busybox, *gosu)]
        return [package for tree in used for package in tree.packages]

    def _driver(self, trees: Mapping[Wanted, Tree]) -> Path | None:
        if self.recipe.driver != "nitro":
            return None
        if self._module is None:
            headers, tools = (trees[wanted] for wanted in self._compiler)
            self._module = driver.compile_module(self._release, headers, tools, self.report)
        return self._module

    def minimum_memory_mib(self, rootfs: Rootfs) -> int:
        packed = sum(layer.compressed for layer in self._pack(rootfs))
        uefi = self.recipe.boot_mode != "legacy-bios"
        return memory.minimum_mib(rootfs.size, packed, len(rootfs.nodes), uefi=uefi)

    def decisions(self, rootfs: Rootfs) -> list[Decision]:
        recipe = self.recipe
        standard = "the default, for every program of Linux's"
        return [
            Decision("kernel", f"Linux {self._release}", asked(recipe, "kernel", standard)),
            Decision("driver", recipe.driver, asked(recipe, "driver", _DRIVER)),
        ]

    def _pack(self, rootfs: Rootfs) -> list[layers.Packed]:
        if self._packed is None:
            assert self._zstd
            self._packed = layers.pack(rootfs, self._zstd)
            size = sum(layer.compressed for layer in self._packed)
            grub.check_initrd(size, self.recipe.boot_mode)
        return self._packed

    def write_disk(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree], out: Path) -> dict[str, Any]:
        arch = self.recipe.arch
        packed = self._pack(rootfs)
        modules, tools = trees[grub.packages(arch)], trees[grub.LIBRARIES]
        command_line = kernel.COMMAND_LINE + guest.options(rootfs)
        bios, uefi = grub.bios_script(command_line), grub.uefi_script(command_line)
        with tempfile.NamedTemporaryFile(dir=out.parent) as initrd:
            layers.join(packed, initrd)
            initrd.flush()
            disk.write(
                out,
                boot=grub.boot_sector(modules, disk.CORE_SECTOR),
                core=grub.bios_core(tools, modules, bios, disk.CORE_SECTOR),
                files={
                    arch.efi_path: grub.uefi_program(tools, modules, uefi),
                    "VMLINUZ": kernel.Kernel(self._release, trees[self._kernel[1]]).image,
                    "INITRD": Path(initrd.name),
                },
            )
        return {
            "kernel": {"release": self._release, "command_line": command_line},
            "layers": layers.describe(packed),
        }
