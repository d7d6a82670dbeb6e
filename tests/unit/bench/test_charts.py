"""Charts keep within their frames, whatever the numbers, and say what they show."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from nitro.bench.history import Series
from nitro.bench.report import charts
from nitro.bench.verdict import Step
from tests.unit.bench.samples import days

_PLACE = re.compile(r"translate\(([-0-9.e]+),([-0-9.e]+)\)")
_UNITS = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1, "m": 1e-3, "µ": 1e-6}


def series(values, unit="bit/s"):
    nights = tuple(days(len(values)))
    counts = np.ones(len(values), dtype=np.int64)
    return Series("p", "a <cell>", "tcp_in", unit, "more", nights, np.array(values), counts)


def place(element):
    """Where the element lies in the frame of the marks, in pixels from its top left corner."""
    [(x, y)] = _PLACE.findall(element.get("transform"))
    return float(x), float(y)


def groups(svg, name):
    root = ElementTree.fromstring(svg)
    return [group for group in root.iter() if name in group.get("class", "").split()]


def marks(svg, layer):
    """The shapes of a layer, in the order of its data."""
    return [shape for group in groups(svg, f"{layer}_marks") for shape in group]


def points(svg, layer="nights"):
    return [place(shape) for shape in marks(svg, layer)]


def labels(svg, axis):
    """Of axis 0, the lower one, or 1, the left one: value and distance along it."""
    texts = groups(svg, "role-axis-label")[axis]
    found = re.findall(r"^([0-9.]+) ([GMkmµ]?)bit/s$", "\n".join(t.text for t in texts), re.M)
    along = [place(text)[axis] for text in texts]
    return [
        (float(value) * _UNITS[unit], where)
        for (value, unit), where in zip(found, along, strict=True)
    ]


def ends(line):
    (x, y), dx, dy = place(line), float(line.get("x2", 0)), float(line.get("y2", 0))
    return sorted([(x, y), (x + dx, y + dy)])


@pytest.mark.extended
@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [1e-9, 1e12, 3.0]])
def test_every_point_lies_within_the_frame(values):
    svg = charts.history(series(values), [], None)
    assert len(points(svg)) == len(values)
    for x, y in points(svg):
        assert 0 <= x <= charts.WIDTH
        assert 0 <= y <= charts.HEIGHT
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox") == f"0 0 {charts.WIDTH} {charts.HEIGHT}"
    assert root.get("role") == "img"
    assert "a <cell> tcp_in, " in root.get("aria-label", "")


@pytest.mark.extended
def test_a_chart_has_the_colours_of_the_page_and_asks_for_nothing():
    svg = charts.history(series([1e9, 2e9]), [], 2e9)
    svg += charts.distribution([5.0, 6.0], [4.0], "bit/s")
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none"}
    assert colours <= {f"var(--{name})" for name in ("line", "past", "promise", "rule", "soft")}
    assert not re.search(r"url\(|href=|\bid=", svg)


def test_runs_lie_above_the_nights_before():
    svg = charts.distribution([5.0, 6.0], [4.0, 5.0, 5.5], "bit/s")
    runs, nights = points(svg, "runs"), points(svg, "past")
    assert (len(runs), len(nights)) == (2, 3)
    assert max(y for _, y in runs) < min(y for _, y in nights) < charts.ROWS_HEIGHT
    assert 'aria-label="2 runs of the last night, 3 nights before"' in svg
    assert "last night" in [text.text for text in groups(svg, "role-axis-label")[1]]


def test_more_is_higher_and_later_is_further_right():
    shown = points(charts.history(series([1e9, 3e9, 2e9]), [], None))
    assert [x for x, _ in shown] == sorted({x for x, _ in shown})
    first, second, third = (y for _, y in shown)
    assert second < third < first
    assert third == pytest.approx((first + second) / 2, abs=0.1)


@pytest.mark.extended
def test_the_line_goes_through_the_nights():
    svg = charts.history(series([1e9, 3e9, 2e9]), [], None)
    [line] = marks(svg, "history")
    corners = re.findall(r"[ML]([-0-9.]+),([-0-9.]+)", line.get("d"))
    for (x, y), night in zip(corners, points(svg), strict=True):
        assert (float(x), float(y)) == pytest.approx(night, abs=0.01)


def test_nights_that_are_missing_leave_a_gap():
    nights = days(5)
    one = series([1e9, 1e9, 1e9])
    one = replace(one, nights=(nights[0], nights[1], nights[4]))
    (a, _), (b, _), (c, _) = points(charts.history(one, [], None))
    assert c - b == pytest.approx(3 * (b - a), abs=0.2)


@pytest.mark.extended
def test_each_night_of_a_short_history_has_its_date_once():
    for count in (1, 2, 3, 5):
        svg = charts.history(series([5.0] * count), [], None)
        dates = [text.text for text in groups(svg, "role-axis-label")[0] if text.text]
        assert len(dates) == len(set(dates)) == count
    svg = charts.history(series([5.0] * 300), [], None)
    assert 3 <= len(groups(svg, "role-axis-label")[0]) <= 12


def test_a_series_fills_its_frame():
    """From its labels to its edge, and from the bottom to the top."""
    shown = points(charts.history(series([1e9, 3e9]), [], None))
    assert shown[0][0] == 0
    assert charts.WIDTH - 130 < shown[1][0] < charts.WIDTH
    low, high = shown[0][1], shown[1][1]
    assert 0 <= high < 30
    assert charts.HEIGHT - 60 < low < charts.HEIGHT - 20


def test_the_axis_has_values_where_its_lines_are():
    """Its labels increase upwards, and a night of such a value would lie on its line."""
    svg = charts.history(series([1e9, 2e9]), [], None)
    found = labels(svg, 1)
    assert len(found) >= 3
    assert [value for value, _ in found] == sorted({value for value, _ in found})
    (_, low), (_, high) = points(svg)
    for value, y in found:  # a label's text stands 4 pixels below its line
        assert y - 4 == pytest.approx(low + (value - 1e9) / 1e9 * (high - low), abs=1)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1e-4, "s", "100 µs"), (2.5e4, "transactions/s", "25 k/s"), (5.0, "packets", "5 packets")],
)
def test_the_axis_tells_the_unit(value, unit, text):
    svg = charts.history(series([value, value], unit), [], None)
    assert text in [label.text for label in groups(svg, "role-axis-label")[1]]


def test_a_single_night_is_in_the_middle():
    svg = charts.history(series([5.0]), [], None)
    [(x, y)] = points(svg)
    [grid] = groups(svg, "role-axis-grid")[-1]
    (left, _), (right, _) = ends(grid)
    assert x == pytest.approx((left + right) / 2)
    assert charts.HEIGHT / 4 < y < charts.HEIGHT * 3 / 4


@pytest.mark.extended
def test_the_last_sixty_nights_have_dots():
    for count, dots in ((60, 60), (61, 60)):
        svg = charts.history(series([5.0] * count), [], None)
        shown = points(svg)
        assert len(shown) == dots
        [line] = marks(svg, "history")
        last = re.findall(r"L([-0-9.]+),", line.get("d"))[-1]
        assert shown[-1][0] == pytest.approx(float(last), abs=0.01)


@pytest.mark.extended
def test_a_step_stands_where_its_first_night_is():
    one = series([2e9, 2e9, 1e9, 1e9])
    steps = [
        Step("p", one.cell, "tcp_in", "bit/s", one.nights[2], one.nights[3], *(1.0,) * 5, worse)
        for worse in (True, False)
    ]
    svg = charts.history(one, steps, None)
    for kind, colour in (("worse", "worse"), ("improved", "better")):
        [line] = marks(svg, kind)
        (left, top), (right, bottom) = ends(line)
        assert left == right == pytest.approx(points(svg)[2][0])
        assert top == 0
        assert bottom >= max(y for _, y in points(svg))
        assert line.get("stroke") == f"var(--{colour})"
    assert "no step" not in svg
    plain = charts.history(one, [], None)
    assert "no step" in plain
    assert not marks(plain, "worse") + marks(plain, "improved")


@pytest.mark.parametrize(
    ("peak", "shown"), [(1.49e9, True), (1.5e9, False), (0.61e9, True), (0.6e9, False)]
)
def test_a_peak_is_near_within_half_as_much_again(peak, shown):
    """Beyond that it would press all nights to an edge of the chart."""
    svg = charts.history(series([1e9, 0.9e9]), [], peak)
    lines = marks(svg, "promise")
    assert bool(lines) == shown
    (_, first), (_, second) = points(svg)
    for line in lines:
        (left, y), (right, end) = ends(line)
        assert y == end == pytest.approx(first + (1e9 - peak) / 0.1e9 * (second - first), abs=1)
        assert (left, right) == (0, points(svg)[-1][0])
    other = series([1e9], "s")
    assert not marks(charts.history(other, [], 1e9), "promise")


def test_runs_and_nights_share_one_scale():
    svg = charts.distribution([5e9, 6e9], [4e9, 5e9], "bit/s")
    runs, nights = points(svg, "runs"), points(svg, "past")
    assert runs[0][0] == nights[1][0]
    assert nights[0][0] < runs[0][0] < runs[1][0]
    assert runs[0][0] - nights[0][0] == pytest.approx(runs[1][0] - runs[0][0], abs=0.2)
    for value, x in labels(svg, 0):
        expected = nights[0][0] + (value - 4e9) / 1e9 * (runs[0][0] - nights[0][0])
        assert x == pytest.approx(expected, abs=1)
    assert len(points(charts.distribution([5e9], [], "bit/s"), "runs")) == 1
