"""Charts keep within their frames, whatever the numbers, and say what they show."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nitro.bench.history import Series
from nitro.bench.report import charts
from tests.unit.bench.samples import days


def series(values):
    nights = tuple(days(len(values)))
    counts = np.ones(len(values), dtype=np.int64)
    return Series("p", "a <cell>", "tcp_in", "bit/s", "more", nights, np.array(values), counts)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [1e-9, 1e12, 3.0]])
def test_every_point_lies_within_the_frame(values):
    svg = charts.history(series(values), [], None)
    points = re.findall(r'points="([^"]+)"', svg)[0].split()
    assert len(points) == len(values)
    for point in points:
        x, y = map(float, point.split(","))
        assert 0 <= x <= charts.WIDTH
        assert 0 <= y <= charts.HEIGHT
    assert "a &lt;cell&gt; tcp_in" in svg


def test_a_peak_is_shown_where_it_is_near():
    assert 'class="promise"' in charts.history(series([9e9, 9.5e9]), [], 10e9)
    assert 'class="promise"' not in charts.history(series([1e9, 1e9]), [], 10e9)


def test_runs_lie_above_the_nights_before():
    svg = charts.distribution([5.0, 6.0], [4.0, 5.0, 5.5], "bit/s")
    assert svg.count('class="dot"') == 2
    assert svg.count('class="past"') == 3
    assert 'aria-label="2 runs of the last night, 3 nights before"' in svg
