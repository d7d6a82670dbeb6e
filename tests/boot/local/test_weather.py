"""A deployment with real machines on a day of bad weather."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.commands import Nitro

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
    nitro = Nitro(tmp_path)
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


def test_the_selftest_passes_with_real_machines(tmp_path: Path) -> None:
    found = Nitro(tmp_path).json("selftest")
    assert [c["name"] for c in found["checks"] if c["outcome"] != "ok"] == []
    assert found["checks"][-1]["came"] == "nothing is left"
