"""Packages unpacked side by side, and programs started from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nitro.arch import X86_64, Arch
from nitro.debian.package import Package
from nitro.errors import NitroError

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
