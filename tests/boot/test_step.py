"""A real step of 10 % in one cell is found, and nothing else: 20 minutes of virtual machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import step
from tests.lengths import LONG


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not LONG, reason="minutes: `make soak` runs it")
def test_a_step_of_a_tenth_in_one_cell_is_found_and_nothing_else(tmp_path: Path) -> None:
    step.measure(tmp_path, step.BEFORE + step.AFTER)
    after = range(step.BEFORE, step.BEFORE + step.AFTER)
    assert step.as_made([step.steps(tmp_path, night) for night in after])
