"""Here both loops run in each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro.ena.native.loop import Loop
from tests.unit.ena.cables import SocketPort
from tests.unit.ena.loops import any_loop

LIBRARY = "NITRO_TEST_LOOP"  # names a library to test in place of the one that cards use


@pytest.fixture(autouse=True)
def loop() -> Iterator[Loop]:
    """The C loop, in place of the fixture that chooses one."""
    path = os.environ.get(LIBRARY)
    yield Loop(Path(path)) if path else any_loop()
    SocketPort.close_all()
