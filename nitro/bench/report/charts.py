"""Charts as SVG: a history with its steps, and where single runs lie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape

from nitro.bench.history import Series
from nitro.bench.summary import level
from nitro.bench.verdict import Step

WIDTH, HEIGHT = 640, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 8, 10, 22  # room for the labels of the axes


def history(series: Series, steps: Sequence[Step], peak: float | None) -> str:
    """Night by night, with a line where each step begins, and the type's peak if it is near."""
    values = series.values.tolist()
    low, high = min(values), max(values)
    near = peak is not None and low / 1.5 < peak < 1.5 * high
    promised = peak if series.unit == "bit/s" and near else None
    low, high = min(low, promised or low), max(high, promised or high)
    scale = _Scale(low, high)
    days = [(night - series.nights[0]).days for night in series.nights]
    points = [(_x(day, days[-1]), scale.y(value)) for day, value in zip(days, values, strict=True)]
    parts = [scale.axis(series.unit), _dates(series.nights)]
    if promised:
        y = scale.y(promised)
        parts.append(f'<line class="promise" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" {_ys(y)}/>')
    for step in steps:
        x = _x((step.night - series.nights[0]).days, days[-1])
        kind = "worse" if step.worse else "improved"
        parts.append(
            f'<line class="step {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" '
            f'y2="{HEIGHT - _BOTTOM}"/>'
        )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline class="line" points="{path}"/>')
    parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in points[-60:]]
    said = f"{series.name}, {series.nights[0]} to {series.nights[-1]}: " + (
        "; ".join(str(step) for step in steps) or "no step"
    )
    return _svg(said, parts, HEIGHT)


def distribution(runs: Sequence[float], nights: Sequence[float], unit: str) -> str:
    """Single runs of the last night above the medians of the nights before it."""
    scale = _Scale(min(*runs, *nights, runs[0]), max(*runs, *nights, runs[0]))
    parts = []
    for row, (label, values, kind) in enumerate(
        [("last night", runs, "dot"), ("before", nights, "past")]
    ):
        y = 14 + 22 * row
        parts.append(f'<text class="label" x="{_LEFT - 6}" y="{y + 4}">{label}</text>')
        parts += [
            f'<circle class="{kind}" cx="{scale.x(value):.1f}" cy="{y}" r="3"/>' for value in values
        ]
    for value, anchor in ((scale.low, "start"), (scale.high, "end")):
        parts.append(
            f'<text class="tick" x="{scale.x(value):.1f}" y="60" text-anchor="{anchor}">'
            f"{escape(level(value, unit))}</text>"
        )
    said = f"{len(runs)} runs of the last night, {len(nights)} nights before"
    return _svg(said, parts, 66)


class _Scale:
    """From values to places, with a little room around them."""

    def __init__(self, low: float, high: float) -> None:
        room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
        self.low, self.high = low - room, high + room

    def _part(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - self._part(value) * (HEIGHT - _TOP - _BOTTOM)

    def x(self, value: float) -> float:
        return _LEFT + self._part(value) * (WIDTH - _LEFT - _RIGHT)

    def axis(self, unit: str) -> str:
        """Three lines with their values."""
        parts = []
        for step in (0.1, 0.5, 0.9):
            value = self.low + step * (self.high - self.low)
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" {_ys(y)}/>')
            parts.append(
                f'<text class="label" x="{_LEFT - 6}" y="{y + 4:.1f}">'
                f"{escape(level(value, unit))}</text>"
            )
        return "".join(parts)


def _x(day: int, last: int) -> float:
    return _LEFT + (day / last if last else 0.5) * (WIDTH - _LEFT - _RIGHT)


def _ys(y: float) -> str:
    return f'y1="{y:.1f}" y2="{y:.1f}"'


def _dates(nights: Sequence[date]) -> str:
    y = HEIGHT - 6
    first, last = nights[0], nights[-1]
    if first == last:
        return f'<text class="tick" x="{_x(0, 0):.0f}" y="{y}" text-anchor="middle">{first}</text>'
    return (
        f'<text class="tick" x="{_LEFT}" y="{y}">{first}</text>'
        f'<text class="tick" x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end">{last}</text>'
    )


def _svg(said: str, parts: Sequence[str], height: int) -> str:
    return (
        f'<svg role="img" aria-label="{escape(said)}" viewBox="0 0 {WIDTH} {height}">'
        f"{''.join(parts)}</svg>"
    )
