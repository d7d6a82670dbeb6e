"""Whose files an image has, with packages made on the spot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nitro.debian import Package, Tree
from nitro.image import owners


def package(folder: Path, name: str, file: str) -> tuple[Package, Path]:
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    (root / "DEBIAN/control").write_text(control)
    (root / file).parent.mkdir(parents=True)
    (root / file).write_text(name)
    deb = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", root, deb], check=True, capture_output=True)
    return Package(name, "1", "all", "debian", "", 1, name.ljust(64, "0")), deb


def test_only_packages_whose_files_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    made = dict([package(tmp_path, "used", "lib/a.so"), package(tmp_path, "other", "usr/b")])
    root = tmp_path / "tree"
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/a.so").write_text("used")
    (root / "usr/b").write_text("other")
    monkeypatch.setattr(owners, "download", lambda packages, _: [made[p] for p in packages])
    tree = Tree(root, tuple(made))
    found = owners.packages_owning(tree, [root / "usr/lib/a.so", Path("/etc/hosts")])
    assert [p.name for p in found] == ["used"]
