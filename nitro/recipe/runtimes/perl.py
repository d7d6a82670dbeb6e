"""Perl, with all modules of its core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nitro.arch import Arch
from nitro.recipe.runtimes.base import Needs, Plain, where_there


@dataclass(frozen=True)
class Perl(Plain):
    name: str = "perl"
    suffixes: tuple[str, ...] = (".pl",)
    marks: tuple[str, ...] = ("cpanfile", "Makefile.PL")
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("5.40",), "bookworm": ("5.36",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        libraries = f"/usr/lib/{arch.triplet}"
        return Needs(
            packages=("perl",),
            programs=("/usr/bin/perl",),
            files=(
                *("/usr/share/perl", f"{libraries}/perl", f"{libraries}/perl-base"),
                *where_there("/usr/share/perl5", f"{libraries}/perl5"),
            ),
            exclude=("/cross-config-*", "/debian-config-data-*", "CORE/", "*.pod"),
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return ("/usr/bin/perl",)


RUNTIME = Perl()
