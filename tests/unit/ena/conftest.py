"""Every test of the card holds for the model alone and, in the extended tests, with the C loop.

What the loop alone does is in native/, among the fast tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.ena.cables import SocketPort
from tests.unit.ena.driver import Defaults
from tests.unit.ena.loops import any_loop


@pytest.fixture(params=("python", pytest.param("native", marks=pytest.mark.extended)), autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "native":
        monkeypatch.setattr(Defaults, "loop", any_loop())
    yield
    SocketPort.close_all()
