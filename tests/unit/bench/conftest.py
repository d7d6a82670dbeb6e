"""A record in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.bench.record import Record
from nitro.bench.store import FolderStore


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(FolderStore(tmp_path / "record"))
