"""Which packages have scripts that make what their programs expect."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nitro.debian.scripts import making

DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("script", "makes"),
    [
        ("adduser --system app", True),
        ("#!/bin/sh\nset -e\nln -sf a /etc/b\n", True),
        ("deb-systemd-helper enable app.service", False),
        ("# mkdir is not needed", False),
    ],
)
def test_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, makes: bool) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path))
    folder = tmp_path / "package/DEBIAN"
    folder.mkdir(parents=True)
    (folder / "control").write_text(
        "Package: app\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    )
    (folder / "postinst").write_text(script)
    (folder / "postinst").chmod(0o755)
    (tmp_path / "debs").mkdir()
    deb = tmp_path / "debs" / f"app_{DIGEST[:16]}.deb"
    subprocess.run(["dpkg-deb", "--build", folder.parent, deb], check=True, capture_output=True)
    assert making([("app", DIGEST), ("gone", DIGEST)]) == (["app"] if makes else [])
