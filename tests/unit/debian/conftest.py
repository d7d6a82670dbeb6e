"""A Debian archive of our own making: packages built here, served from a folder.

Where apt itself would have to be asked, a program of its name answers what a test tells it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nitro.debian import Package, fetch, mirror

MakePackage = Callable[..., Package]

ONE = Package("one", "1.0", "amd64", "debian", "pool/one_1.0_amd64.deb", 3, "a" * 64)
TWO = replace(ONE, name="two", archive="debian-security", sha256="b" * 64)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive's folder; the cache and the state are empty."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    pool = tmp_path / "archive"
    pool.mkdir()
    monkeypatch.setattr(fetch, "archives", lambda: {"debian": f"file:{pool}"})
    return pool


@pytest.fixture
def make_package(pool: Path, tmp_path: Path) -> MakePackage:
    """Builds a package from `files` (path → content) and puts it into the archive.

    `postinst` is the text of its script.
    """

    def make(
        name: str, files: dict[str, str], version: str = "1.0", *, postinst: str = ""
    ) -> Package:
        source = tmp_path / f"source-{name}-{version}"
        (source / "DEBIAN").mkdir(parents=True)
        (source / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@localhost>\nDescription: a test\n"
        )
        if postinst:
            (source / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{postinst}")
            (source / "DEBIAN/postinst").chmod(0o755)
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(content)
        deb = pool / f"{name}_{version}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", source, deb], check=True, capture_output=True
        )
        packed = deb.read_bytes()
        digest = hashlib.sha256(packed).hexdigest()
        return Package(name, version, "all", "debian", deb.name, len(packed), digest)

    return make


class FakeApt:
    """An `apt-get` that gives the answers it was told, and remembers its command lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "apt-get"
        program.write_text(
            f'#!/bin/sh\ncd {folder}\necho "$*" >>calls\necho "$LC_ALL $APT_CONFIG" >>places\n'
            'for word; do if [ -e "$word.out" ]; then\n'
            'cat "$word.out"; cat "$word.err" >&2; read code <"$word.code"; exit $code\n'
            "fi; done\n"
        )
        program.chmod(0o755)

    def answers(self, command: str, output: str = "", *, error: str = "", code: int = 0) -> None:
        for suffix, text in (("out", output), ("err", error), ("code", f"{code}\n")):
            (self._folder / f"{command}.{suffix}").write_text(text)

    @property
    def calls(self) -> list[str]:
        calls = self._folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    @property
    def places(self) -> set[str]:
        """The language and the configuration that it was called with, where it was told one."""
        lines = (self._folder / "places").read_text().splitlines()
        return {line for line in lines if line.endswith("apt.conf")}


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApt]:
    """The only `apt-get`, on a machine that runs Debian trixie; cache and state are empty."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    folder = tmp_path / "apt"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    release = tmp_path / "os-release"
    release.write_text('PRETTY_NAME="Debian 13"\nID=debian\nVERSION_CODENAME=trixie\n')
    monkeypatch.setattr(mirror, "OS_RELEASE", release)
    apt = FakeApt(folder)
    apt.answers(
        "indextargets",
        "trixie http://deb.example/debian/\n"
        "trixie-updates http://deb.example/debian/\n"
        "trixie-security http://deb.example/debian-security/\n",
    )
    mirror.archives.cache_clear()
    yield apt
    mirror.archives.cache_clear()
