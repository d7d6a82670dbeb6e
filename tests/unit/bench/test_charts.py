"""Charts keep within their frames, whatever the numbers, and say what they show."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from nitro.bench.history import Series
from nitro.bench.report import charts
from nitro.bench.verdict import Step
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


def points(svg):
    [found] = re.findall(r'points="([^"]+)"', svg)
    return [tuple(map(float, point.split(","))) for point in found.split()]


def drawn(svg, shape, kind):
    """The attributes of the shapes of a class, numbers as such."""
    found = re.findall(rf'<{shape} class="{kind}"([^>]*)>', svg)
    return [
        {name: float(value) for name, value in re.findall(r'(\w+)="([-0-9.]+)"', one)}
        for one in found
    ]


def test_more_is_higher_and_later_is_further_right():
    shown = points(charts.history(series([1e9, 3e9, 2e9]), [], None))
    assert [x for x, _ in shown] == sorted(x for x, _ in shown)
    first, second, third = (y for _, y in shown)
    assert second < third < first
    assert third == pytest.approx((first + second) / 2, abs=0.1)


def test_nights_that_are_missing_leave_a_gap():
    nights = days(5)
    one = series([1e9, 1e9, 1e9])
    one = replace(one, nights=(nights[0], nights[1], nights[4]))
    (a, _), (b, _), (c, _) = points(charts.history(one, [], None))
    assert c - b == pytest.approx(3 * (b - a), abs=0.2)


def test_a_series_fills_its_frame():
    """From its labels to its edge, with room above and below the extremes."""
    shown = points(charts.history(series([1e9, 3e9]), [], None))
    svg = charts.history(series([1e9, 3e9]), [], None)
    [grid, *_] = drawn(svg, "line", "grid")
    assert (shown[0][0], shown[1][0]) == (grid["x1"], grid["x2"])
    assert grid["x2"] < charts.WIDTH
    ys = sorted(y for _, y in shown)
    assert 10 < ys[0] < 25
    assert charts.HEIGHT - 40 < ys[1] < charts.HEIGHT - 22


def test_the_axis_has_values_where_its_lines_are():
    """Its labels increase upwards, and a night of such a value would lie on its line."""
    svg = charts.history(series([1e9, 2e9]), [], None)
    labels = re.findall(r'<text class="label"[^>]* y="([0-9.]+)">([0-9.]+) (\w)bit/s<', svg)
    places = [float(y) for y, _, _ in labels]
    values = [float(value) * {"G": 1e9, "M": 1e6}[unit] for _, value, unit in labels]
    assert len(labels) == 3
    assert places == sorted(places, reverse=True)
    assert values == sorted(values)
    (_, low), (_, high) = points(svg)
    for y, value in zip(places, values, strict=True):
        assert y - 4 == pytest.approx(low + (value - 1e9) / 1e9 * (high - low), abs=0.6)


def test_a_single_night_is_in_the_middle():
    [(x, y)] = points(charts.history(series([5.0]), [], None))
    [grid, *_] = drawn(charts.history(series([5.0]), [], None), "line", "grid")
    assert x == (grid["x1"] + grid["x2"]) / 2
    assert y == pytest.approx((10 + charts.HEIGHT - 22) / 2)


def test_the_last_sixty_nights_have_dots():
    for count, dots in ((60, 60), (61, 60)):
        svg = charts.history(series([5.0] * count), [], None)
        assert len(drawn(svg, "circle", "dot")) == dots
        assert drawn(svg, "circle", "dot")[-1]["cx"] == points(svg)[-1][0]


def test_a_step_stands_where_its_first_night_is():
    one = series([2e9, 2e9, 1e9, 1e9])
    steps = [
        Step("p", one.cell, "tcp_in", "bit/s", one.nights[2], one.nights[3], *(1.0,) * 5, worse)
        for worse in (True, False)
    ]
    svg = charts.history(one, steps, None)
    for kind in ("step worse", "step improved"):
        [line] = drawn(svg, "line", kind)
        assert line["x1"] == line["x2"] == points(svg)[2][0]
        assert (line["y1"], line["y2"]) == (10, charts.HEIGHT - 22)
    assert "no step" not in svg
    assert "no step" in charts.history(one, [], None)


@pytest.mark.parametrize(
    ("peak", "shown"), [(1.49e9, True), (1.5e9, False), (0.61e9, True), (0.6e9, False)]
)
def test_a_peak_is_near_within_half_as_much_again(peak, shown):
    """Beyond that it would press all nights to an edge of the chart."""
    svg = charts.history(series([1e9, 0.9e9]), [], peak)
    lines = drawn(svg, "line", "promise")
    assert bool(lines) == shown
    for line in lines:
        assert 10 < line["y1"] == line["y2"] < charts.HEIGHT - 22
    other = replace(series([1e9]), unit="s")
    assert "promise" not in charts.history(other, [], 1e9)


def test_runs_and_nights_share_one_scale():
    svg = charts.distribution([5e9, 6e9], [4e9, 5e9], "bit/s")
    runs, nights = drawn(svg, "circle", "dot"), drawn(svg, "circle", "past")
    assert runs[0]["cx"] == nights[1]["cx"]
    assert nights[0]["cx"] < runs[0]["cx"] < runs[1]["cx"]
    assert runs[0]["cx"] - nights[0]["cx"] == pytest.approx(runs[1]["cx"] - runs[0]["cx"], abs=0.2)
    assert runs[0]["cy"] < nights[0]["cy"] < 60
    assert ">3.84 Gbit/s<" in svg  # a little room around 4 and 6
    assert ">6.16 Gbit/s<" in svg
    assert 'x="84.0" y="60" text-anchor="start"' in svg  # at both ends of the frame
    assert 'x="632.0" y="60" text-anchor="end"' in svg
    assert charts.distribution([5e9], [], "bit/s").count('class="dot"') == 1
