from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.network import ANOTHER, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with (
        Lab(tmp_path, taps=tuple(f"tap{n}" for n in range(7))) as made,
        made.start("iperf3", [*made.tools.program("iperf3"), "-s"]),
        made.start("another", [*made.tools.program("iperf3"), "-s", "-p", ANOTHER]),
    ):
        yield made
