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
PATIENCE = 300  # seconds for one command


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
            timeout=PATIENCE,
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
    marker = folder / "installed.txt"
    if not marker.exists() or marker.read_text() != lock.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        uv: Sequence[str] = (sys.executable, "-m", "uv", "--quiet")
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [
                *(*uv, "pip", "install", "--python", str(folder / "bin/python")),
                *("--require-hashes", "--requirement", str(lock)),
            ],
            check=True,
        )
        marker.write_text(lock.read_text())
    return folder / "bin"
