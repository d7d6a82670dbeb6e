"""Node.js. Debian's build keeps parts of it outside the binary, in /usr/share/nodejs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nitro.arch import Arch
from nitro.recipe.runtimes.base import Needs, Plain, where_there


@dataclass(frozen=True)
class Node(Plain):
    name: str = "node"
    suffixes: tuple[str, ...] = (".js", ".mjs", ".cjs")
    marks: tuple[str, ...] = ("package.json",)
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("20",), "bookworm": ("18",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        return Needs(
            packages=("nodejs",),
            programs=("/usr/bin/node",),
            files=("/usr/share/nodejs", *where_there(f"/usr/lib/{arch.triplet}/nodejs")),
            env={"NODE_ENV": "production"},
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return ("/usr/bin/node",)


RUNTIME = Node()
