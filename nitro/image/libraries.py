"""The shared libraries that programs need, found without running them.

The search is that of glibc's dynamic linker, ld.so(8): RPATH of the object and of those that
loaded it, or else its RUNPATH; the directories of ld.so.conf; the default ones, musl's among
them. LD_LIBRARY_PATH plays no part.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from nitro.arch import X86_64, Arch
from nitro.debian.tree import locate
from nitro.errors import InputError
from nitro.image.formats.elf import Object, read


@dataclass(frozen=True)
class Sysroot:
    """The directory that plays the root: "/" for this machine, or an unpacked package tree.

    What `base` has, the files of a container image, comes first.
    """

    root: Path
    base: Path | None = None

    def locate(self, path: str) -> Path | None:
        """The file at the absolute `path`, symbolic links followed within the root."""
        found = Sysroot(self.base).locate(path) if self.base else None
        return found or locate(self.root, path)

    @cached_property
    def configured(self) -> tuple[str, ...]:
        """The directories that ld.so.conf names, in order."""
        return tuple(dict.fromkeys(self._directories("/etc/ld.so.conf", 0)))

    def _directories(self, path: str, depth: int) -> Iterator[str]:
        file = self.locate(path)
        if file is None or depth > 4:
            return
        for line in file.read_text(errors="replace").splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                for pattern in words[1:]:
                    where = PurePosixPath(path).parent / pattern
                    folder = self.locate(str(where.parent))
                    for found in sorted(folder.glob(where.name) if folder else ()):
                        yield from self._directories(f"{where.parent}/{found.name}", depth + 1)
            elif words:
                yield words[0]


@dataclass
class Closure:
    """Collects what any number of programs of one sysroot need: guest path → file in `found`.

    What the guest has anyway is left out: `supplied` is asked for each interpreter and soname.
    """

    sysroot: Sysroot
    arch: Arch = X86_64
    supplied: Callable[[str], bool] = lambda _: False
    found: dict[str, Path] = field(default_factory=dict)
    #: guest path of a file in `found` → the first that needs it
    needed_by: dict[str, str] = field(default_factory=dict)
    #: what was left out, as it is supplied → the first that needs it
    left_out: dict[str, str] = field(default_factory=dict)
    #: what to do about a library that is missing, where one knows
    remedy: Callable[[str], str | None] = lambda _: None

    def add(self, path: str, file: Path, lacks: list[str] | None = None) -> None:
        """Add what the object at the guest's `path` needs (not the object itself).

        Raises InputError naming a library that is not there, and who needs it; with `lacks`, that
        library's name is added to the list instead.
        """
        # Breadth first, and each name once, as the linker does: who loads a library first
        # decides where it comes from.
        loaded: set[str] = set()
        queue = deque([(path, file, tuple[str, ...]())])
        while queue:
            by, here, inherited = queue.popleft()
            elf = read(here)
            if elf.interpreter:
                if not self._is_supplied(elf.interpreter, by):
                    self._include(elf.interpreter, by)
                loaded.add(PurePosixPath(elf.interpreter).name)
            rpath = self._expand_all(elf.rpath, by, elf)
            # An object with a RUNPATH does not use RPATHs, but what it loads may.
            passed = inherited if elf.runpath else rpath + inherited
            places = self._expand_all(elf.runpath, by, elf) or passed
            for name in elf.needed:
                if name in loaded or _is_musl(name) or self._is_supplied(name, by):
                    continue
                loaded.add(name)
                try:
                    target = self._search(name, by, elf, places)
                    queue.append((target, self._include(target, by), passed))
                except InputError:
                    if lacks is None:
                        raise
                    lacks.append(name)

    def library(self, name: str, by: str) -> None:
        """Add a library that a program loads while it runs: a soname or an absolute path."""
        like = Object("ET_DYN", self.arch.elf_machine, 64, None, (), (), ())
        target = self._search(name, by, like, ())
        self.add(target, self._include(target, by))

    def _search(self, name: str, by: str, elf: Object, places: tuple[str, ...]) -> str:
        """The guest path of the library `name`."""
        if "/" in name:
            return self._expand(name, by, elf)
        for folder in (*places, *self._default(elf)):
            path = f"{folder.rstrip('/')}/{name}"
            file = self.sysroot.locate(path)
            if file is not None and file.is_file() and _fits(file, elf):
                return path
        raise self._missing(name, by)

    def _default(self, elf: Object) -> tuple[str, ...]:
        triplet = self._triplet(elf)
        multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
        plain = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
        return (*self.sysroot.configured, *multiarch, *plain)

    def _triplet(self, elf: Object) -> str:
        return self.arch.triplet if elf.machine == self.arch.elf_machine else ""

    def _expand_all(self, paths: tuple[str, ...], by: str, elf: Object) -> tuple[str, ...]:
        return tuple(self._expand(path, by, elf) for path in paths)

    def _expand(self, path: str, by: str, elf: Object) -> str:
        """The linker's own variables, with or without braces."""
        triplet = self._triplet(elf)
        values = {
            "ORIGIN": str(PurePosixPath(by).parent),
            "LIB": f"lib/{triplet}".rstrip("/"),
            "PLATFORM": triplet.split("-")[0],
        }
        return re.sub(
            r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM))",
            lambda m: values[m[1] or m[2]],
            path,
        )

    def _is_supplied(self, name: str, by: str) -> bool:
        if self.supplied(name):
            self.left_out.setdefault(name, by)
            return True
        return False

    def _include(self, path: str, by: str) -> Path:
        file = self.sysroot.locate(path)
        if file is None:
            raise self._missing(path, by)
        self.found[path] = file
        self.needed_by.setdefault(path, by)
        return file

    def _missing(self, name: str, by: str) -> InputError:
        where = "on this machine" if self.sysroot.root == Path("/") else "in the recipe's packages"
        return InputError(
            f"{name}, which {by} needs, is not {where}",
            hint=self.remedy(PurePosixPath(name).name)
            or "install its package here, or add it to the recipe's packages",
        )


def _is_musl(name: str) -> bool:
    """musl's interpreter is its C library, whatever programs call it."""
    return name.startswith("libc.musl-")


def _fits(file: Path, elf: Object) -> bool:
    """The linker passes over libraries for another machine and goes on searching."""
    with file.open("rb") as stream:
        start = stream.read(20)
    if start[:4] != b"\x7fELF" or len(start) < 20:
        return False
    machine = int.from_bytes(start[18:20], "little")
    return start[4] * 32 == elf.bits and machine == elf.machine


def add_unwinder(closure: Closure) -> None:
    """glibc loads this library when a thread is ended, and aborts the program without it."""
    libc = next((path for path in closure.found if path.endswith("/libc.so.6")), None)
    if libc is not None:
        with suppress(InputError):  # a system without it has no program that needs it
            closure.library("libgcc_s.so.1", libc)
