"""The flavour "osv": a built kernel whose RAMFS is replaced, and a boot sector for BIOS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from nitro.arch import X86_64
from nitro.debian import Lock, Package, Tree, Wanted
from nitro.errors import InputError
from nitro.image.decisions import Decision, asked
from nitro.image.formats import symbols
from nitro.image.libraries import Sysroot
from nitro.image.osv import (
    command_line,
    disk,
    doctor,
    driver,
    ignored,
    programs,
    python,
    ramfs,
    store,
    system_calls,
)
from nitro.image.osv.artifact import Kernel
from nitro.image.osv.programs import Choice
from nitro.image.osv.store import Stored
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from nitro.recipe import Launch, Recipe

_MIB = 1 << 20
# For what the kernel and the program take beside kernel and files: OSv runs with 64 MiB.
_ROOM_MIB = 64
_STEP_MIB = 32

_LIBRARIES = "/usr/lib"  # where OSv's linker looks, and nowhere else
_INTERPRETER = X86_64.loader
_FSTAB = (
    b"none /dev devfs defaults 0 0\nnone /proc procfs defaults 0 0\nnone /sys sysfs defaults 0 0\n"
)
# What the kernel itself opens by these names, and an OSv build would have put into the RAMFS.
_KEPT = ("/libenviron.so", "/libvdso.so")


@dataclass
class Osv:
    """See `nitro.image.flavour.Flavour`."""

    recipe: Recipe
    lock: Lock
    report: Reporter
    trace: bool
    _stored: Stored = field(init=False)
    _choice: Choice | None = field(default=None, init=False)
    _module: Path | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.recipe.boot_mode != "legacy-bios":
            raise InputError(
                f"{self.recipe.name}: OSv boots by BIOS only", hint='boot_mode = "legacy-bios"'
            )
        if self.recipe.base:
            raise InputError(
                f"{self.recipe.name}: OSv starts no container images",
                hint="name the program in programs, with packages or sysroot",
            )
        if self.recipe.user != "root":
            raise InputError(
                f"{self.recipe.name}: OSv has no users", hint='leave user out: "root" runs all'
            )
        # What is missing is said before anything is downloaded.
        self._stored = store.find(self.recipe.kernel.partition(":")[2])
        if self.recipe.driver == "nitro":
            self._find_headers()

    @cached_property
    def _kernel(self) -> Kernel:
        kernel = self._stored.kernel()
        if self.recipe.driver == "kernel" or "ena" not in self._stored.about["drivers"]:
            return kernel
        try:
            return kernel.without_own_ena()
        except ValueError as error:
            raise InputError(
                f"the ENA driver of osv:{self._stored.name} cannot be turned off: {error}",
                hint='driver = "kernel", or --driver kernel, uses it',
            ) from None

    @property
    def _runs_own_driver(self) -> bool:
        return self.recipe.driver == "kernel" and "ena" in self._stored.about["drivers"]

    def _find_headers(self) -> Path:
        found, name = self._stored.headers, self._stored.name
        which = f"osv:{name} ({self._stored.about['version']})"
        if driver.OPENED not in self._kernel.segment.data:
            raise InputError(
                f"{which} opens no modules in {driver.FOLDER}, as OSv does since v0.55.0",
                hint=f"add a newer kernel; {self._without_driver}",
            )
        if found is None:
            raise InputError(
                f"the nitro driver cannot be compiled for {which}: no headers",
                hint=f"nitro kernel add --source TREE; {self._without_driver}",
            )
        return found

    @property
    def _without_driver(self) -> str:
        if "ena" in self._stored.about["drivers"]:
            return 'driver = "kernel", or --driver kernel, uses OSv\'s own'
        return "--driver kernel does without a network, as this kernel has no driver of its own"

    def inputs(self) -> Sequence[Path]:
        folder = self._stored.path.parent
        # The folder of all kernels as well: with another one in it, "osv" alone names none.
        return [*sorted(folder.iterdir()), folder.parent]

    def wanted(self) -> Sequence[Wanted]:
        return (driver.COMPILER,) if self.recipe.driver == "nitro" else ()

    def needed(self, packages: Mapping[Wanted, Sequence[Package]]) -> Sequence[Wanted]:
        if self.recipe.driver == "nitro":
            self._module = driver.cached(self._find_headers(), packages[driver.COMPILER])
        return () if self._module else self.wanted()

    def examine(self, path: str, program: Path, sysroot: Sysroot) -> None:
        if path == self.recipe.argv[0]:
            launch, kernel = self.recipe.launch, self._kernel.segment
            self._choice = programs.choose(path, program, launch, sysroot, kernel)
            for warning in self._choice.warnings:
                self.report.note(warning)

    def supplies(self, name: str) -> bool:
        known = self._choice is not None  # nothing is supplied to a program that nobody has seen
        return known and self._launch == "osv" and programs.provides(name)

    @property
    def _chosen(self) -> Choice:
        if self._choice is None:
            command = self.recipe.argv[0]
            raise InputError(
                f"{self.recipe.name}: command: {command} is not among programs",
                hint="OSv starts a program that is listed there",
            )
        return self._choice

    @property
    def _launch(self) -> Launch:
        return self._chosen.launch

    def add(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree]) -> Sequence[Package]:
        if self.trace:
            raise InputError(
                f"{self.recipe.name}: OSv does not tell which files a program sought in vain",
                hint='strace = "syscall_open*" shows its calls',
            )
        rootfs.folders("/dev", "/proc", "/sys", "/tmp")  # noqa: S108 - in the guest
        rootfs.add("/etc/fstab", Node("system", "nitro", source=_FSTAB))
        rootfs.add("/etc/mnttab", Node("system", "nitro", target="/proc/mounts"))
        kernel = self._kernel
        own = [entry for entry in kernel.entries if entry.name in _KEPT]
        for path, node in ramfs.read(kernel.segment, own).items():
            rootfs.add(path, node)
        if "/etc/hosts" not in rootfs:
            rootfs.add("/etc/hosts", Node("system", "nitro", source=b"127.0.0.1 localhost\n"))
        if self._launch == "osv":
            self._link_libraries(rootfs)
        if self.recipe.driver == "kernel":
            for note in doctor.notes(self._stored.about["drivers"]):
                self.report.note(note)
        else:
            rootfs.add(driver.PATH, Node("system", "nitro", source=self._compiled(trees)))
        if self.recipe.strace:
            self._check_trace(self.recipe.strace)
        if python.is_script(self._argv):
            self.report.note(f"{self.recipe.name}: {python.WHY}: use -m, in its folder")
        for one in ignored.keys(self.recipe):
            self.report.note(f"{self.recipe.name}: {ignored.say(one)}")
        self._command_line()  # refused before anything is written
        return ()

    def _check_trace(self, pattern: str) -> None:
        kernel = self._kernel.segment
        lacks, found = None, system_calls.tracepoints(kernel, pattern)
        if not system_calls.writes_traces(kernel):
            lacks = "does not write traces to the console"
        elif not found:
            lacks = f'has no tracepoint that begins with "{pattern}"'
        if lacks:
            raise InputError(
                f"{self.recipe.name}: strace: osv:{self._stored.name} {lacks}",
                hint='strace = "syscall*" takes every call, from OSv of October 2023 on',
            )
        if self._launch == "osv" and all(name.startswith("syscall_") for name in found):
            self.report.note(
                f"{self.recipe.name}: {self.recipe.argv[0]} makes no system calls, as OSv links it "
                'with its own functions: strace = "vfs*" shows those for files, "tcp*" for TCP'
            )

    def _compiled(self, trees: Mapping[Wanted, Tree]) -> Path:
        version, tools = self._stored.about["version"], trees.get(driver.COMPILER)
        if self._module is None and tools:
            self._module = driver.compile_module(self._find_headers(), version, tools, self.report)
        assert self._module, "`needed` asked for the compiler"
        needed = symbols.read(self._module.read_bytes()).needed
        offered = self._kernel.segment.exports
        lacks = [symbol for symbol in sorted(needed) if offered.address(symbol) is None]
        if lacks:
            raise InputError(
                f"osv:{self._stored.name} does not export what the nitro driver needs: "
                f"{', '.join(lacks[:3])}",
                hint=f"add a kernel with all symbols; {self._without_driver}",
            )
        return self._module

    def _link_libraries(self, rootfs: Rootfs) -> None:
        """OSv's linker looks into one folder; Debian keeps libraries in another."""
        for path in [p for p, node in rootfs.nodes.items() if _is_library(p, node)]:
            link = f"{_LIBRARIES}/{PurePosixPath(path).name}"
            if link not in rootfs:
                target = path.removeprefix(f"{_LIBRARIES}/")
                rootfs.add(link, Node("system", "nitro", target=target))

    def minimum_memory_mib(self, rootfs: Rootfs) -> int:
        end = ramfs.memory_end(self._kernel.layout, self._kernel.segment, rootfs.nodes)
        needed = -(-end // _MIB) + _ROOM_MIB
        return -(-needed // _STEP_MIB) * _STEP_MIB

    def decisions(self, rootfs: Rootfs) -> list[Decision]:
        recipe, kernel = self.recipe, self._kernel
        version = self._stored.about["version"]
        only = "it is the only one that was added"
        named = "asked for" if recipe.kernel.partition(":")[2] else only
        own = "the default, in place of the kernel's own"
        fits = ramfs.fits(kernel.layout, rootfs.nodes)
        room = f"the kernel has {kernel.layout.room / 1e6:.1f} MB for files"
        return [
            Decision("kernel", f"osv:{self._stored.name}, OSv {version}", named),
            Decision("launch", self._launch, self._chosen.why),
            *(Decision("warning", recipe.argv[0], one) for one in self._chosen.warnings),
            *ignored.keys(recipe),
            *(
                [Decision("command", " ".join(self._argv), python.WHY)]
                if python.is_script(recipe.argv)
                else []
            ),
            Decision("driver", recipe.driver, asked(recipe, "driver", own)),
            *(
                [Decision("processors", f"{doctor.OWN_DRIVER_PROCESSORS}", doctor.ONE_PROCESSOR)]
                if self._runs_own_driver
                else []
            ),
            Decision("RAMFS", "in place" if fits else "behind the kernel", room),
        ]

    def write_disk(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree], out: Path) -> dict[str, Any]:
        line = self._command_line()
        try:
            digest = disk.write(out, self._kernel, line, rootfs.nodes)
        except InputError as error:
            raise InputError(f"{self.recipe.name}: {error.what}", hint=error.hint) from None
        about = self._stored.about
        kernel: dict[str, Any] = {
            "release": f"OSv {about['version']}",
            "command_line": line,
            "name": self._stored.name,
            "sha256": about["kernel_sha256"],
        }
        if self._runs_own_driver:
            kernel["processors"] = doctor.OWN_DRIVER_PROCESSORS
        return {"kernel": kernel, "layers": [], "digest": digest}

    @property
    def _argv(self) -> tuple[str, ...]:
        return python.as_module(self.recipe.argv, self.recipe.working_directory or "/")

    def _command_line(self) -> str:
        recipe = self.recipe
        argv = self._argv
        if self._launch == "linux-ld":
            argv = (_INTERPRETER, *argv)
        # The kernel looks for the pattern anywhere in a name.
        options = [f"--trace=^{recipe.strace}", "--strace"] if recipe.strace else []
        if recipe.working_directory:
            options.append(f"--cwd={recipe.working_directory}")
        try:
            line = command_line.make(argv, recipe.env, options)
            disk.check_command_line(line)
        except ValueError as error:
            raise InputError(f"{recipe.name}: {error}", hint="change command or env") from None
        return line


def _is_library(path: str, node: Node) -> bool:
    """Whether it is a shared library in a folder that OSv's linker does not look in."""
    name = PurePosixPath(path)
    return (
        node.source is not None
        and ".so" in name.name
        and path.startswith(f"{_LIBRARIES}/")
        and len(name.parent.parts) == 4
        and name.parent.name != "fs"
    )
