"""The built wheel, alone in an empty environment: everything it needs travels inside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.boot
def test_an_installed_wheel_deploys(tmp_path: Path):
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, *pip, "install", f"{wheel}[local]", cwd=tmp_path)
    where = run(python, "-c", "import nitro; print(nitro.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)
    words = ("deploy", "--instance", "c5.large", "--probe", "boot", "--probe", "http", "--json")
    state = str(tmp_path / "state")
    # The image is built anew: what was built from the checkout must not be found.
    cache = tmp_path / "cache"
    cache.mkdir()
    shared = Path(os.environ.get("NITRO_CACHE") or Path.home() / ".cache/nitro")
    for name in ("apt", "debs", "trees"):
        if (shared / name).is_dir():
            (cache / name).symlink_to(shared / name)
    out = run(
        tmp_path / "venv/bin/nitro",
        *words,
        cwd=tmp_path,
        NITRO_STATE=state,
        NITRO_CACHE=str(cache),
        NITRO_CLOUD="local",
    )
    result = json.loads(out)
    assert Path(result["image"]["path"]).is_relative_to(cache)
    assert result["image"]["build_seconds"] > 0
    assert all(probe["ok"] for probe in result["probes"])
