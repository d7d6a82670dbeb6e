"""Packages unpacked side by side, and programs started from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nitro.arch import X86_64, Arch
from nitro.debian.package import Package
from nitro.errors import NitroError

_MAX_LINKS = 40
_BINARIES = ("usr/bin", "usr/sbin", "usr/libexec", "usr/games")


@dataclass(frozen=True)
class Tree:
    """Unpacked packages, with the links of a merged /usr. Read-only by agreement."""

    root: Path
    packages: tuple[Package, ...]
    arch: Arch = X86_64

    def path(self, inside: str) -> Path:
        """The file that the packages install at the absolute path `inside`.

        Symbolic links are followed within the tree. Raises NitroError when there is none.
        """
        found = self._follow(inside)
        if not found.exists():
            names = ", ".join(package.name for package in self.packages[:3])
            raise NitroError(f"no {inside} in the Debian packages {names}…")
        return found

    def program(self, name: str) -> list[str]:
        """The start of a command line that runs a program with the tree's own libraries."""
        for folder in _BINARIES:
            found = self._follow(f"/{folder}/{name}")
            if found.is_file():
                loader = self._follow(f"/usr{self.arch.loader}")
                if not loader.exists():  # a tree without libc can only hold static programs
                    return [str(found)]
                folders = (f"usr/lib/{self.arch.triplet}", "usr/lib")
                libraries = ":".join(str(self.root / folder) for folder in folders)
                return [str(loader), "--library-path", libraries, str(found)]
        raise NitroError(f"no program {name} in the Debian packages")

    def _follow(self, inside: str) -> Path:
        path = self.root / inside.lstrip("/")
        for _ in range(16):
            if not path.is_symlink():
                break
            target = path.readlink()
            path = (
                self.root / str(target).lstrip("/")
                if target.is_absolute()
                else path.parent / target
            )
        return path


def locate(root: Path, path: str) -> Path | None:
    """The file at the absolute `path` below `root`, symbolic links followed within the root."""
    parts = list(PurePosixPath(path).parts[1:])
    here = root
    links = 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            here = here if here == root else here.parent
            continue
        here = here / part
        if here.is_symlink():
            links += 1
            if links > _MAX_LINKS:
                return None
            target = here.readlink()
            here = root if target.is_absolute() else here.parent
            parts[:0] = [p for p in target.parts if p != "/"]
    return here if here.exists() else None
