"""Java: OpenJDK's runtime without a display."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nitro.arch import Arch
from nitro.errors import InputError
from nitro.recipe.runtimes.base import Needs, Plain

_MAX_MANIFEST = 1 << 20  # bytes


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
            env={"JAVA_HOME": _home(version, arch)},  # what starters such as Tomcat's ask for
            exclude=("/src.zip", "libjsound.so"),  # sources, and a library for sound cards
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return (f"{_home(version, arch)}/bin/java", "-jar")

    def check(self, script: Path) -> None:
        try:
            with zipfile.ZipFile(script) as archive:
                info = archive.getinfo("META-INF/MANIFEST.MF")
                manifest = archive.read(info) if info.file_size < _MAX_MANIFEST else b""
        except (
            zipfile.BadZipFile,
            EOFError,
            NotImplementedError,
            RuntimeError,
            zlib.error,
        ) as error:
            what = f"{script}: not a Java archive that can be read: {error}"
            raise InputError(what, hint="it may be damaged; build it again") from None
        except KeyError:
            manifest = b""
        if b"\nmain-class:" not in b"\n" + manifest.lower():
            raise InputError(
                f"{script}: a Java archive without a Main-Class, which java -jar starts",
                hint='give the application\'s, or a recipe with command = ["-cp", "…", "CLASS"]',
            )


def _home(version: str, arch: Arch) -> str:
    return f"/usr/lib/jvm/java-{version}-openjdk-{arch.debian}"


RUNTIME = Java()
