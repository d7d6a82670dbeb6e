"""A real step of 10 % in one cell is found, and nothing else: 20 minutes of virtual machines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lengths import LONG

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.boot
@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not LONG, reason="minutes: `make soak` runs it")
def test_a_step_of_a_tenth_in_one_cell_is_found_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.step", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "night 11:" in done.stdout
