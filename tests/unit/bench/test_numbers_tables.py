"""Steps in series and comparisons of sides, at and beside the bounds of their numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nitro.bench import changes, compare
from nitro.bench.compare import Comparison
from nitro.errors import InputError
from tests.said import told
from tests.transcripts import compare as held
from tests.unit.cli.said import rounded

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_steps_among_outliers() -> None:
    text = ""

    def line(what: str, values: Any, series: int = 1) -> str:
        found = changes.find(values, series)
        shown = (f"{c.index} {c.found} {c.ratio:.7f} {c.low:.7f} {c.high:.7f}" for c in found)
        return f"{what}: {'; '.join(shown)}\n"

    for seed, before in itertools.product(range(6), (8, 9, 12, 29, 30, 31, 40)):
        random = np.random.default_rng(seed)
        values = np.exp(random.normal(0, 0.01, before + 6))
        values[before:] *= 0.8
        values[random.integers(0, before)] *= (1.02, 1.05, 1.5, 0.5, 0.97, 1.1)[seed]
        values[before + random.integers(0, 6)] *= (1.0, 1.05, 1.1, 0.9, 0.5, 1.02)[seed]
        text += line(f"{seed} after {before}", values)
    for ratio in (0.9, 0.95, 0.9523, 0.9525, 1.0499, 1.05, 1.0501, 1.06):
        for noise in (0, 0.001, 0.004):
            values = np.ones(20) * (1 + noise * np.tile([1, -1], 10))
            values[14:] *= ratio
            text += line(f"{ratio} among {noise}", values)
    for share in (0.2, 0.33, 0.334, 0.34, 0.5, 1.0):
        for last in (3, 4, 5, 6):
            values = np.ones(12 + last)
            values[12:] = 1.5
            values[12] = 1.5**share
            text += line(f"the first of {last} by {share}", values)
    for count in (8, 9, 10, 11, 12):
        values = np.ones(count)
        values[count - 3 :] = 2
        text += line(f"{count} nights", values)
    for series in (0, 1, 2, 40, 1000):
        text += f"bound of {series}: {changes.bound(series):.9f}\n"
    text += line("up and down again", [1.0] * 12 + [2.0] * 9 + [1.0] * 9 + [3.0] * 9, 7)
    held(HERE / "table-steps.txt", text)


Rows = list[tuple[Any, ...]]


class Sided:
    """A record that has some rows for each side of a comparison, and keeps what it is asked."""

    def __init__(self, *sides: Rows) -> None:
        self.sides, self.asked = list(sides), list[str]()

    def query(self, sql: str, parameters: Any = (), **_: Any) -> pa.Table:
        self.asked.append(" ".join(sql.split()) + f" {parameters}")
        rows = self.sides.pop(0)
        columns = list(zip(*rows, strict=True)) if rows else [()] * 3
        return pa.table({str(n): pa.array(list(c)) for n, c in enumerate(columns)})


def rows(values: Any, *, metric: str = "m", better: str | None = "more", **more: Any) -> Rows:
    """One row for each value: all factors, night and repetition as partners, and the metric."""
    factors = more.get("factors", ["p", "c5", "eu", "bench", "nitro", "http", None, "4", "9", None])
    limited = more.get("limited", ())
    nights = more.get("nights", lambda n: f"2026-11-{n // 5 + 1:02}")
    return [
        (*factors, "1500", nights(n), str(n % 5), metric, "s", better, float(v), n in limited)
        for n, v in enumerate(values)
    ]


def test_comparisons() -> None:
    text = ""
    sides = ({"phase": "steady"}, {"phase": "steady"})

    def lines(what: str, *both: Rows) -> str:
        record: Any = Sided(*both)
        try:
            found = compare.compare(record, *sides)
        except InputError as error:
            return f"{what}: {error}\n"
        return f"{what}\n" + "".join(f"  {one}\n    {one.verdict} {one.tells}\n" for one in found)

    random = np.random.default_rng(5)
    noise = np.exp(random.normal(0, 0.02, 3000))
    for count in (1, 2, 3, 4, 5, 6, 7, 8, 12, 44, 45, 999, 1000, 1001, 1500):
        a, b = noise[:count], 1.1 * noise[::-1][:count]
        text += lines(f"{count} pairs", rows(a), rows(b))
        some: dict[str, Any] = {"nights": lambda n: f"2027-{n}"}
        if count < 9 or count > 900:
            text += lines(f"{count} that are no pairs", rows(a), rows(b, **some))
    for first, second in ((1, 9), (3, 4), (4, 3), (9, 1), (2, 8)):
        text += lines(f"{first} and {second}", rows(noise[:first]), rows(2 * noise[:second]))
    twice = rows(noise[:6]) + rows(noise[6:12])
    text += lines("twice the same partner", twice, rows(noise[:6]))
    text += lines("twice on the other side", rows(noise[:6]), twice)
    for share in (2, 3, 4):
        shifted = rows(noise[:6], nights=lambda n, s=share: "2026-11-01" if n < s else "2027-01-01")
        text += lines(f"{share} of 6 are pairs", rows(noise[:6]), shifted)
    for limited in ((), (0,), tuple(range(9))):
        text += lines(f"limited {limited}", rows(noise[:9], limited=limited), rows(noise[9:18]))
        text += lines(f"limited {limited}", rows(noise[9:18]), rows(noise[:9], limited=limited))
    for better in ("more", "less", None, "other"):
        for factor in (0.5, 1.0, 2.0):
            both = rows(noise[:9], better=better), rows(factor * noise[:9], better=better)
            text += lines(f"{better} {factor}", *both)
    shared = [None, "c5", None, "b", None, "http", "in", "1", None, "100M"]
    text += lines("other factors", *(rows(noise[:6] * f, factors=shared) for f in (1, 2)))
    text += lines("two metrics", rows([1, 2]) + rows([3], metric="n"), rows([4], metric="n"))
    text += lines("nothing in common", rows([1, 2]), rows([1, 2], metric="n"))
    far = ["q", "c6", "eu", "bench", "nitro", "http", None, "4", "9", None]
    text += lines("no factor in common", rows([1, 2]), rows([1, 2], factors=far))
    text += lines("no rows", rows([1, 2]), [])
    for one, other in (
        ({"night": "2026-11-26"}, {"night": "2026-11-27", "digest": "sha256:1"}),
        ({"driver": "kernel"}, {"repetition": "1"}),
    ):
        record = Sided([], [])
        text += told(compare.compare, record, one, other, metric="m*") + "\n"
        text += told(compare.compare, record, other, one) + "\n" + "\n".join(record.asked) + "\n"
    held(HERE / "table-comparisons.txt", rounded(text))


def test_verdicts_of_comparisons() -> None:
    text = ""
    one = Comparison("w", "m", "s", "more", True, 3, 4, 1.0, 2.0, 0.1, 0.2, 2.0, 1.5, 2.5)
    for low, ratio, high in (
        (1.1, 2, 3),
        (1, 2, 3),
        (0.5, 0.8, 1),
        (0.5, 0.8, 0.9),
        (0, 1, math.inf),
    ):
        betters: tuple[Any, ...] = ("more", "less", None)
        for better, limited in itertools.product(betters, (False, True)):
            other = replace(one, low=low, ratio=ratio, high=high, better=better, limited=limited)
            text += f"{low} {ratio} {high} {better} {limited}: {other.verdict}\n"
            text += f"  {other.to_json()}\n" if better == "more" else ""
    for side in (
        *("", "driver", "driver=", "=x", "driver=a", "driver=a,night=b", "driver=a,driver=a"),
        *(
            "driver=a,driver=b",
            "driver=a=b",
            "metrics=1",
            "raw=1",
            "id=1",
            "allowances=1",
            "plan=p",
        ),
        *("driver=a,", " driver=a", "error=x"),
    ):
        text += f"{side!r}: {told(compare.parse_side, side)}\n"
    held(HERE / "table-compared.txt", text)
