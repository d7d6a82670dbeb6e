"""Deployments with real machines in bad weather: one in `make test`, five more in `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.local.weather.conditions import draw
from tests.boot.commands import Nitro
from tests.lengths import LONG

pytestmark = pytest.mark.boot

DAY = """
seed = 11
throttled = 0.15
answers_lost = 0.05
ids_late = 1
ids_late_seconds = 2
full_zones = ["f", "e"]
import_factor = 2
console_late_seconds = 2
metadata_late_seconds = 3
"""


def test_a_deployment_measures_all_the_same(tmp_path: Path) -> None:
    nitro = Nitro(tmp_path, policed=False)
    (tmp_path / "day.toml").write_text(DAY)
    nitro.run("local", "up", "--weather", "day.toml")
    try:
        again = nitro.run("local", "up", "--weather", "3", code=2)
        assert "in other weather" in again.stderr
        deployed = nitro.json("deploy", "--instance", "c5.large", "--ephemeral", "--probe", "http")
        assert [p["ok"] for p in deployed["probes"]] == [True]
        assert nitro.left() == []
        log = (tmp_path / "state" / "local" / "log").read_text()
    finally:
        nitro.run("local", "down", "--force")
    for fault in ("throttled", "answer lost", "not visible"):
        assert f"weather: {fault}: " in log


@pytest.mark.soak
@pytest.mark.skipif(not LONG, reason="minutes: `make soak` runs it")
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_drawn_day_ends_as_a_fair_one_or_with_one_error(tmp_path: Path, seed: int) -> None:
    """Of the days that `nitro local up --weather SEED` draws."""
    nitro = Nitro(tmp_path, policed=False)
    nitro.run("local", "up", "--weather", str(seed))
    try:
        process = nitro.start("deploy", "--instance", "c5.large", "--ephemeral", "--probe", "http")
        _, told = process.communicate(timeout=600)
        log = (tmp_path / "state" / "local" / "log").read_text()
        assert "Traceback" not in told
        errors = [line for line in told.splitlines() if line.startswith("nitro: ")]
        assert len(errors) == (process.returncode != 0), told
        if "credentials expired" in log:  # and are renewed, perhaps by these calls
            for _ in range(draw(seed).credentials_renewed_after):
                nitro.start("ls").communicate(timeout=60)
        assert nitro.left() == [], log
    finally:
        nitro.run("local", "down", "--force")
    print(f"\nday {seed}: {errors or 'measured'}")


def test_the_selftest_passes_with_real_machines(tmp_path: Path) -> None:
    found = Nitro(tmp_path).json("selftest")
    assert [c["name"] for c in found["checks"] if c["outcome"] != "ok"] == []
    assert found["checks"][-1]["came"] == "nothing is left"
