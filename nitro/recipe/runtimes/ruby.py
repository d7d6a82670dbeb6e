"""Ruby, with the gems that Debian installs beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nitro.arch import Arch
from nitro.recipe.runtimes.base import Needs, Plain, where_there


@dataclass(frozen=True)
class Ruby(Plain):
    name: str = "ruby"
    suffixes: tuple[str, ...] = (".rb",)
    marks: tuple[str, ...] = ("Gemfile", "config.ru")
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("3.3",), "bookworm": ("3.1",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        return Needs(
            packages=("ruby",),
            programs=(f"/usr/bin/ruby{version}",),
            files=(
                "/usr/lib/ruby",
                f"/usr/lib/{arch.triplet}/ruby",
                "/usr/share/rubygems-integration",
                # of gems with a compiled part, such as Puma
                *where_there(f"/usr/lib/{arch.triplet}/rubygems-integration"),
            ),
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return (f"/usr/bin/ruby{version}",)


RUNTIME = Ruby()
