"""A Debian archive of our own making: packages built here, served from a folder."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nitro.debian import Package, fetch

MakePackage = Callable[..., Package]


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
    """Builds a package from `files` (path → content) and puts it into the archive."""

    def make(name: str, files: dict[str, str], version: str = "1.0") -> Package:
        source = tmp_path / f"source-{name}-{version}"
        (source / "DEBIAN").mkdir(parents=True)
        (source / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@localhost>\nDescription: a test\n"
        )
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
