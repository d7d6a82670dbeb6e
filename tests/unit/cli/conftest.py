"""A folder for commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cli import options


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that nothing else is in, with the cache and the state of nitro beside it."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(options, "verbose", False)
    for name in ("NITRO_CLOUD", "NITRO_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
