"""Charts as SVG, drawn by Vega-Lite: a history with its steps, and where single runs lie.

Colours are the page's, by the names that `page.css` gives them for light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import vl_convert

from nitro.bench.history import Series
from nitro.bench.verdict import Step

WIDTH, HEIGHT, ROWS_HEIGHT = 640, 160, 72
_DOTS = 60  # nights that have one
_MOST_DATES = 5
_LINE, _PAST, _PROMISE = "var(--line)", "var(--past)", "var(--promise)"
_COLOURS = {"worse": "var(--worse)", "improved": "var(--better)"}
_CONFIG = {
    "mark": {"aria": False},  # the whole has a text
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": "var(--rule)",
        "gridColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "labelColor": "var(--soft)",
        "labelFontSize": 12,
        "title": None,
    },
}
# Room for the text of fonts that are wider than the one that Vega measures with.
_PADDING = {"left": 16, "right": 24, "top": 6, "bottom": 4}
_DATES = {"format": "%-d %b %Y", "grid": False, "labelOverlap": True}
_QUANTITY: dict[str, Any] = {"type": "quantitative", "scale": {"zero": False, "padding": 6}}
# Vega writes 9.3G, which is 9.3 Gbit/s.
_LABEL = "replace(format(datum.value, '~s'), regexp('([^0-9.]?)$'), ' $1{unit}')"


def history(series: Series, steps: Sequence[Step], peak: float | None) -> str:
    """Night by night, with a line where each step begins, and the type's peak if it is near."""
    nights = [
        {"night": night.isoformat(), "value": value}
        for night, value in zip(series.nights, series.values.tolist(), strict=True)
    ]
    days = (series.nights[-1] - series.nights[0]).days
    dates = {**_DATES, "tickCount": min(max(days, 1), _MOST_DATES)}
    place = {
        "x": {"field": "night", "type": "temporal", "scale": {"type": "utc"}, "axis": dates},
        "y": {"field": "value", **_QUANTITY, "axis": _axis(series.unit, ticks=4)},
    }
    layers = [
        _layer("history", nights, place, type="line", color=_LINE, strokeWidth=1.5),
        _layer("nights", nights[-_DOTS:], place, type="circle", color=_LINE, size=16, opacity=1),
    ]
    low, high = float(series.values.min()), float(series.values.max())
    if series.unit == "bit/s" and peak is not None and low / 1.5 < peak < 1.5 * high:
        rule = {"type": "rule", "color": _PROMISE, "strokeDash": [1, 3], "strokeWidth": 2}
        layers.append(_layer("promise", [{"value": peak}], {"y": place["y"]}, **rule))
    for name, colour in _COLOURS.items():
        begun = [
            {"night": step.night.isoformat()} for step in steps if step.worse == (name == "worse")
        ]
        rule = {"type": "rule", "color": colour, "strokeDash": [4, 3], "strokeWidth": 2}
        layers += [_layer(name, begun, {"x": place["x"]}, **rule)] if begun else []
    said = f"{series.name}, {series.nights[0]} to {series.nights[-1]}: " + (
        "; ".join(str(step) for step in steps) or "no step"
    )
    return _svg(said, layers, HEIGHT)


def distribution(runs: Sequence[float], nights: Sequence[float], unit: str) -> str:
    """Single runs of the last night above the medians of the nights before it."""
    rows = {"axis": {"domain": False, "ticks": False}, "sort": None, "type": "nominal"}
    layers = [
        _layer(
            name,
            [{"row": row, "value": value} for value in values],
            {
                "x": {"field": "value", **_QUANTITY, "axis": _axis(unit, ticks=6)},
                "y": {"field": "row", **rows},
            },
            type="circle",
            color=colour,
            size=36,
            opacity=opacity,
        )
        for name, row, values, colour, opacity in (
            ("runs", "last night", runs, _LINE, 1),
            ("past", "before", nights, _PAST, 0.6),
        )
        if values
    ]
    said = f"{len(runs)} runs of the last night, {len(nights)} nights before"
    return _svg(said, layers, ROWS_HEIGHT)


def _axis(unit: str, ticks: int) -> dict[str, Any]:
    short = "/s" if unit == "transactions/s" else unit
    return {"labelExpr": _LABEL.format(unit=short), "tickCount": ticks}


def _layer(
    name: str, rows: Sequence[dict[str, Any]], encoding: dict[str, Any], **mark: Any
) -> dict[str, Any]:
    return {"name": name, "data": {"values": rows}, "mark": mark, "encoding": encoding}


def _svg(said: str, layers: Sequence[dict[str, Any]], height: int) -> str:
    """A picture that a screen reader reads out as `said`."""
    chart = {
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": _PADDING,
        "background": None,
        "config": _CONFIG,
        "layer": list(layers),
    }
    drawn = vl_convert.vegalite_to_svg(chart, allowed_base_urls=[])
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(said)}" ', 1)
