from __future__ import annotations

from collections.abc import Iterator

import pytest

from .commands import Nitro


@pytest.fixture(scope="session")
def nitro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nitro]:
    """One local Nitro for all tests that only add to it."""
    nitro = Nitro(tmp_path_factory.mktemp("nitro"))
    nitro.run("local", "up")
    yield nitro
    nitro.run("local", "down")
