"""Java: OpenJDK's runtime without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nitro.arch import Arch
from nitro.recipe.runtimes.base import Needs, Plain


@dataclass(frozen=True)
class Java(Plain):
    name: str = "java"
    suffixes: tuple[str, ...] = (".jar",)
    marks: tuple[str, ...] = ("pom.xml", "build.gradle", "build.gradle.kts")
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("21", "25"), "bookworm": ("17",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        return Needs(
            packages=(f"openjdk-{version}-jre-headless",),
            programs=(f"{_home(version, arch)}/bin/java",),
            # Its configuration is in /etc, where links of the runtime lead.
            files=(
                *(f"{_home(version, arch)}/{part}" for part in ("lib", "conf", "release")),
                f"/etc/java-{version}-openjdk",
            ),
            exclude=("/src.zip", "libjsound.so"),  # sources, and a library for sound cards
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return (f"{_home(version, arch)}/bin/java", "-jar")


def _home(version: str, arch: Arch) -> str:
    return f"/usr/lib/jvm/java-{version}-openjdk-{arch.debian}"


RUNTIME = Java()
