"""Clients that nobody here wrote, unmodified, each in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nitro.paths import cache_dir
from tests.clients.endpoint import Endpoint, serving

REQUIREMENTS = Path(__file__).parents[2] / "requirements/clients"
MARKER = "installed.txt"  # holds the lock file that a client was installed from
TIMEOUT = 300  # seconds for one command


@dataclass(frozen=True)
class Client:
    """Runs a client's programs against the endpoint, in `folder`."""

    endpoint: Endpoint
    folder: Path
    programs: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> str:
        """What a program prints; it must succeed."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        done = subprocess.run(
            [self.programs / words[0], *words[1:]],
            cwd=self.folder,
            env={**kept, "HOME": str(self.folder), **self.endpoint.environment, **self.settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with serving(tmp_path / "blocks") as found:
        yield found


def installed(name: str) -> Path:
    """The programs of a Python package and its dependencies, as requirements/clients pins them."""
    lock = REQUIREMENTS / f"{name}.txt"
    folder = cache_dir() / "clients" / name
    if not _is_made_from(lock, folder):
        uv: Sequence[str] = (sys.executable, "-m", "uv", "--quiet")
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [
                *(*uv, "pip", "install", "--python", str(folder / "bin/python")),
                *("--require-hashes", "--requirement", str(lock)),
            ],
            check=True,
        )
        _mark(lock, folder)
    return folder / "bin"


def installed_modules() -> Path:
    """The JavaScript packages that requirements/clients/javascript pins."""
    source = REQUIREMENTS / "javascript"
    folder = cache_dir() / "clients/javascript"
    lock = source / "package-lock.json"
    if not _is_made_from(lock, folder):
        folder.mkdir(parents=True)
        for file in (lock, source / "package.json"):
            shutil.copy(file, folder)
        npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        subprocess.run(npm, cwd=folder, check=True)
        _mark(lock, folder)
    return folder / "node_modules"


def _is_made_from(lock: Path, folder: Path) -> bool:
    """Whether what is in `folder` was made from `lock`; if it was not, the folder is removed."""
    marker = folder / MARKER
    if marker.exists() and marker.read_text() == lock.read_text():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _mark(lock: Path, folder: Path) -> None:
    (folder / MARKER).write_text(lock.read_text())
