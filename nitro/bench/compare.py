"""Two sides of the record compared: how much more or less the second has, and how sure that is.

Where each run of one side has a partner on the other (the same night, cell and repetition), the
pairs are compared, so that what drifted in the night drops out. The effect is the Hodges–Lehmann
estimate of the ratio; its interval holds for any distribution. Runs on one pair of instances share
that pair's luck: several nights say more than many repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nitro.bench.columns import COLUMNS, PARTITIONS
from nitro.bench.record import Record
from nitro.documents.bench import ComparisonDocument
from nitro.documents.metrics import Better
from nitro.errors import InputError

Numbers = npt.NDArray[np.float64]

_FACTORS = (
    *("plan", "instance_type", "region", "image", "driver", "protocol", "direction"),
    *("streams", "message_bytes", "rate", "mtu"),
)
# Of factors that not all cells have, so that no number is taken for another one's.
_PREFIXES = {"streams": "streams=", "message_bytes": "bytes=", "rate": "rate=", "mtu": "mtu="}
_KEYS = {c.name for c in (*COLUMNS, *PARTITIONS)} - {"metrics", "allowances", "raw", "id"}
# A night is compared as a date, so that only its own files are read.
_CONDITIONS = {"digest": "starts_with(digest, ?)", "night": "night = TRY_CAST(? AS DATE)"}
_MOST = 1000  # values of a side: their products are looked at
_NORMAL = 1.96  # two-sided 95 %


@dataclass(frozen=True)
class Comparison:
    """One metric under the conditions that both sides share.

    `ratio` is B over A, `low` and `high` its 95 % confidence interval: 0 to infinity with too
    few runs.
    `spread_a` and `spread_b` are coefficients of variation. `limited`: an allowance limited every
    run of a side, whose numbers show what AWS permits.
    """

    what: str
    metric: str
    unit: str
    better: Better | None
    paired: bool
    count_a: int
    count_b: int
    median_a: float
    median_b: float
    spread_a: float
    spread_b: float
    ratio: float
    low: float
    high: float
    limited: bool = False

    @property
    def tells(self) -> bool:
        """Whether there are runs enough for an interval."""
        return math.isfinite(self.high)

    @property
    def verdict(self) -> str:
        """ "better", "worse", "no difference", "too few runs" to tell, or what forbids to."""
        if self.limited:
            return "limited by its allowance"
        if not self.tells:
            return "too few runs"
        if self.low <= 1 <= self.high:
            return "no difference"
        if self.better is None:
            return "different"
        return "better" if (self.ratio > 1) == (self.better == "more") else "worse"

    def to_json(self) -> ComparisonDocument:
        """The comparison as JSON has it."""
        return {
            "what": self.what,
            "metric": self.metric,
            "unit": self.unit,
            "better": self.better,
            "paired": self.paired,
            "runs": [self.count_a, self.count_b],
            "medians": [self.median_a, self.median_b],
            "variation": [self.spread_a, self.spread_b],
            "ratio": self.ratio,
            "interval": [self.low, self.high] if self.tells else None,
            "verdict": self.verdict,
        }


def parse_side(text: str) -> dict[str, str]:
    """`driver=kernel,night=2026-11-26` as conditions. Raises InputError."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or key not in _KEYS or not value:
            raise InputError(
                f"cannot compare by {part!r}",
                hint="write COLUMN=VALUE, such as driver=kernel; `nitro bench schema` lists them",
            )
        if found.setdefault(key, value) != value:
            raise InputError(f"{text!r} names {key} twice", hint="a side has one value of a column")
    return found


def compare(
    record: Record, a: Mapping[str, str], b: Mapping[str, str], *, metric: str = "*"
) -> list[Comparison]:
    """B against A, for each metric and each combination of what neither names.

    Raises InputError when a side has no samples.
    """
    shared = [name for name in _FACTORS if name not in {*a, *b}]
    partners = [name for name in ("night", "repetition") if name not in {*a, *b}]
    sides = [_read(record, side, [*shared, *partners], metric) for side in (a, b)]
    by_group = [_grouped(side, shared) for side in sides]
    groups = sorted(set(by_group[0]) & set(by_group[1]))
    if not groups:
        raise InputError(
            "the two sides have no cell and metric in common", hint=_what_differs(shared, sides)
        )
    return [_compare_group(group, by_group[0][group], by_group[1][group]) for group in groups]


Row = tuple[object, ...]  # shared factors, partners, metric, unit, better, value, limited
Group = tuple[str, str, str, str]  # what is shared in words, metric, unit, better


def _read(record: Record, side: Mapping[str, str], names: list[str], metric: str) -> list[Row]:
    columns = ", ".join(f"CAST({name} AS VARCHAR)" for name in names)
    where = " AND ".join(_CONDITIONS.get(key, f"CAST({key} AS VARCHAR) = ?") for key in side)
    # Column names are ours: parse_side let no other pass.
    sql = f"""SELECT {columns}, metric, unit, better, value, limited FROM metrics
        WHERE phase = 'steady' AND value > 0 AND metric GLOB ? AND {where}
        ORDER BY ALL"""
    rows = record.query(sql, (metric, *side.values()))
    if not len(rows):
        words = ",".join(f"{key}={value}" for key, value in side.items())
        of = f"{words}: {metric}" if metric != "*" else words
        raise InputError(f"the record has no measurement of {of}")
    return list(zip(*(rows.column(i).to_pylist() for i in range(rows.num_columns)), strict=True))


@dataclass
class _Side:
    """One side of a group: its values, each with what names its partner on the other side."""

    free: list[tuple[Row, float]] = field(default_factory=list)
    limited: list[tuple[Row, float]] = field(default_factory=list)

    @property
    def values(self) -> list[tuple[Row, float]]:
        """Those that no allowance limited, if there are any."""
        return self.free or self.limited


def _what_differs(shared: list[str], sides: list[list[Row]]) -> str | None:
    """Advice: the conditions of which the sides share no value, to be named with each."""
    for index, name in enumerate(shared):
        first, second = ({row[index] for row in side} for side in sides)
        if not first & second:
            values = (min(map(str, one)) for one in (first, second))
            return f"they differ in {name}: add {' and '.join(f'{name}={one}' for one in values)}"
    return None


def _grouped(rows: list[Row], shared: list[str]) -> dict[Group, _Side]:
    found: dict[Group, _Side] = {}
    for row in rows:
        *factors, metric, unit, better, value, limited = row
        named = zip(shared, factors, strict=False)
        words = " ".join(
            f"{_PREFIXES.get(name, '')}{one}"
            for name, one in named
            if one is not None and (name, one) != ("streams", "1")  # as in a cell's key
        )
        side = found.setdefault((words, str(metric), str(unit), str(better or "")), _Side())
        values = side.limited if limited else side.free
        values.append((tuple(factors[len(shared) :]), float(str(value))))
    return found


def _compare_group(group: Group, side_a: _Side, side_b: _Side) -> Comparison:
    what, metric, unit, better = group
    a, b = side_a.values, side_b.values
    first, second = dict(a), dict(b)
    partners = sorted(set(first) & set(second), key=str)
    unique = len(first) == len(a) and len(second) == len(b)
    paired = unique and 2 * len(partners) > max(len(a), len(b))
    values_a, values_b = (np.array([value for _, value in side]) for side in (a, b))
    if paired:
        ratios = np.log([second[one] / first[one] for one in partners])
        effect = _paired(ratios)
    else:
        effect = _unpaired(np.log(values_a), np.log(values_b))
    ratio, low, high = (float(np.exp(one)) for one in effect)
    return Comparison(
        what=what,
        metric=metric,
        unit=unit,
        better="more" if better == "more" else "less" if better == "less" else None,
        paired=paired,
        count_a=len(a),
        count_b=len(b),
        median_a=float(np.median(values_a)),
        median_b=float(np.median(values_b)),
        spread_a=_variation(values_a),
        spread_b=_variation(values_b),
        ratio=ratio,
        low=low,
        high=high,
        limited=not (side_a.free and side_b.free),
    )


def _variation(values: Numbers) -> float:
    return float(values.std(ddof=1) / values.mean()) if len(values) > 1 else 0.0


Effect = tuple[float, float, float]


def _paired(differences: Numbers) -> Effect:
    """Median of the Walsh averages, and the interval that Wilcoxon's signed ranks give."""
    values = _thinned(differences)
    n = len(values)
    rows, columns = np.triu_indices(n)
    averages = (values[rows] + values[columns]) / 2
    spread = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return _interval(averages, n * (n + 1) / 4 - _NORMAL * spread)


def _unpaired(a: Numbers, b: Numbers) -> Effect:
    """Median of all differences, and the interval that Mann and Whitney's ranks give."""
    a, b = _thinned(a), _thinned(b)
    differences = (b[:, None] - a[None, :]).ravel()
    spread = np.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    return _interval(differences, len(a) * len(b) / 2 - _NORMAL * spread)


def _interval(estimates: Numbers, rank: float) -> Effect:
    """The median, and what lies `rank` from either end; all numbers where so few cannot tell."""
    ordered = np.sort(estimates)
    middle, cut = float(np.median(ordered)), int(np.floor(rank))
    if cut < 1:
        return middle, -math.inf, math.inf
    return middle, float(ordered[cut - 1]), float(ordered[-cut])


def _thinned(values: Numbers) -> Numbers:
    """At most as many values as can be compared each with each, evenly chosen."""
    if len(values) <= _MOST:
        return values
    return np.sort(values)[np.linspace(0, len(values) - 1, _MOST).astype(np.int64)]
