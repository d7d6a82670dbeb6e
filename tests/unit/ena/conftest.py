"""Every test of the card holds for the model alone and with the C loop."""

from __future__ import annotations

import pytest

from nitro.ena.native.loop import load
from tests.unit.ena.driver import Defaults


@pytest.fixture(params=("python", "native"), autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "native":
        chosen = load()
        if chosen is None:
            pytest.skip("no C compiler")
        monkeypatch.setattr(Defaults, "loop", chosen)
