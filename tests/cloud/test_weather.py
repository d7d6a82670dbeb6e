"""Deployments on days of bad weather: each ends as on a fair day or with one clear error.

`NITRO_WEATHERS=200 pytest -m slow -s tests/cloud/test_weather.py` prints the figures of
docs/reliability.md; without it, ten of these days are tried.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from nitro.cloud import Keep, destroy, inventory
from nitro.errors import NitroError
from nitro.local.weather import FAIR, Conditions
from nitro.local.weather.conditions import draw
from tests.cloud.conftest import NOTHING, everything
from tests.cloud.joint import FakeProber, deploy, small_disk
from tests.cloud.weather import endpoint

DAYS = int(os.environ.get("NITRO_WEATHERS", "10"))


def try_day(conditions: Conditions, folder: Path) -> tuple[str, Counter[str]]:
    """How a deployment ended: "measured" or its error; and what happened on that day."""
    disk = small_disk(folder.parent / "disk.raw")
    with endpoint(conditions, folder) as day:
        victim, observer = day.connect(), day.connect(fair=True)
        not_removed: list[str] = []
        try:
            deployment = deploy(victim, disk, keep=Keep.NOTHING, prober=FakeProber(observer))
        except NitroError as error:
            ended = str(error)
            assert "\n" not in ended
        else:
            ended, not_removed = "measured", deployment.not_removed
            assert len(deployment.probes) == 2
        left = everything(observer)
        if left != NOTHING:
            assert not_removed, f"{conditions!r}: {ended}: {left}"
            destroy(observer, inventory(observer))
            assert everything(observer) == NOTHING
        return ended, day.forecast.happened


@pytest.mark.extended
def test_a_fair_day(tmp_path: Path) -> None:
    assert try_day(FAIR, tmp_path / "blocks") == ("measured", Counter())


@pytest.mark.slow
def test_many_days(tmp_path: Path) -> None:
    ends: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    for seed in range(1, DAYS + 1):
        ended, faults = try_day(draw(seed), tmp_path / f"{seed}")
        ends[re.sub(r"[a-z-]+-[0-9a-f]{17}", "ID", ended)[:80]] += 1
        happened += faults
    print(f"\n{DAYS} days: {dict(happened)}")
    for ended, days in ends.most_common():
        print(f"{days:4} {ended}")
    assert ends["measured"] > DAYS / 5
    assert len(happened) > 5
