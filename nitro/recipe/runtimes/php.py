"""PHP. A page called index.php is served by PHP's own web server; other scripts run as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nitro.arch import Arch
from nitro.recipe.runtimes.base import HOME, Needs, Plain, where_there

_PORT = 80


@dataclass(frozen=True)
class Php(Plain):
    name: str = "php"
    suffixes: tuple[str, ...] = (".php",)
    marks: tuple[str, ...] = ("composer.json", "index.php")
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("8.4",), "bookworm": ("8.2",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        # Package scripts would link these files, which load the extensions, into the folder.
        common = {
            "source": f"/usr/share/php{version}-common/common",
            "path": f"/etc/php/{version}/cli/conf.d",
        }
        return Needs(
            packages=("php-cli",),
            programs=(f"/usr/bin/php{version}",),
            files=("/usr/lib/php", common, *where_there("/usr/share/php")),
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return (f"/usr/bin/php{version}",)

    def serves(self, script: str, ports: Sequence[int]) -> tuple[Sequence[str], Sequence[int]]:
        if PurePosixPath(script).name != "index.php":
            return (), ports
        port = next(iter(ports), _PORT)
        return ("-S", f"0.0.0.0:{port}", "-t", HOME), ports or (port,)


RUNTIME = Php()
