"""The verdict on a night: what became slower and since when, what failed, and what AWS limited.

A step is told once. What was told lies beside the samples, as `told/PLAN/ID.json`, so that it
stays told the same when late nights change what the history says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from nitro.bench import changes, history
from nitro.bench.history import Series
from nitro.bench.record import Record
from nitro.bench.triage import Difference, Sides, differences
from nitro.documents.bench import CheckedStepDocument, FailedCellDocument, VerdictDocument
from nitro.errors import InputError

_SAME_STEP = changes.AFTER.stop  # nights by which late nights may move a step

_CELLS = """
SELECT cell, count(*) AS runs, count(error) AS failed, any_value(error) AS error,
       count(*) FILTER (limited) AS limited
FROM samples WHERE night = ? AND phase = 'steady' GROUP BY cell ORDER BY cell
"""
_EXCEEDED = """
SELECT DISTINCT cell, concat(one."where", ' ', one.counter) AS counter
FROM (SELECT cell, unnest(allowances) AS one FROM samples WHERE night = ? AND phase = 'steady')
WHERE one.count > 0 ORDER BY ALL
"""
_CELLS_BEFORE = """
SELECT DISTINCT cell FROM samples
WHERE night = (SELECT max(night) FROM samples WHERE night < ?) ORDER BY cell
"""


@dataclass(frozen=True)
class Step:
    """A series changed its level: `night` is the first of the new one, `found` showed it.

    `before` and `after` are the levels in `unit`, `ratio` is after over before, with `low` and
    `high` as its 95 % confidence interval. `told`: the night whose check told it; None: this one.
    """

    plan: str
    cell: str
    metric: str
    unit: str
    night: date
    found: date
    before: float
    after: float
    ratio: float
    low: float
    high: float
    worse: bool
    told: date | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def id(self) -> str:
        text = f"{self.cell}\n{self.metric}\n{self.night.isoformat()}\n{self.ratio > 1}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        change, low, high = (100 * (ratio - 1) for ratio in (self.ratio, self.low, self.high))
        return (
            f"{self.cell}: {self.metric} {change:+.1f} % ({low:+.1f} to {high:+.1f}) "
            f"since {self.night}"
        )


@dataclass(frozen=True)
class FailedCell:
    """A cell with runs that failed, or without any run although the night before had some."""

    plan: str
    cell: str
    failed: int
    runs: int
    error: str

    def __str__(self) -> str:
        if not self.runs:
            return f"{self.cell}: {self.error}"
        return f"{self.cell}: {self.failed} of {self.runs} runs failed: {self.error}"


@dataclass(frozen=True)
class LimitedCell:
    """A cell of which an allowance limited every run. `counters` are those that grew, such as
    "server bw_in_allowance_exceeded"."""

    cell: str
    counters: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.cell} ({', '.join(self.counters)})"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one plan's night. `new` are the steps that this night's check tells,
    `known` those told before."""

    plan: str
    night: date
    series: tuple[str, ...]
    new: tuple[Step, ...]
    known: tuple[Step, ...]
    failed: tuple[FailedCell, ...]
    limited: tuple[LimitedCell, ...]

    @property
    def regressions(self) -> tuple[Step, ...]:
        return tuple(step for step in self.new if step.worse)

    def to_json(self) -> VerdictDocument:
        """The verdict as JSON has it."""
        return {
            "plan": self.plan,
            "night": self.night.isoformat(),
            "ok": not self.regressions and not self.failed,
            "series": len(self.series),
            "new": [_step_document(step) for step in self.new],
            "known": [_step_document(step) for step in self.known],
            "failed": [_failed_document(cell) for cell in self.failed],
            "limited": [{"cell": one.cell, "counters": list(one.counters)} for one in self.limited],
        }


def check(
    record: Record,
    plan: str,
    night: date | None = None,
    *,
    histories: Sequence[Series] | None = None,
) -> Verdict:
    """Judge a plan's night, the last one if None, by it and those before it.

    `histories` are those of the plan, if they are loaded already.

    Raises InputError when the record has no samples of the plan, or none of that night, and for a
    note of what was told that cannot be read.
    """
    night = _night(record, plan, night)
    if histories is None:
        histories = history.load(record, plan=plan)
    all_series = [_until(series, night) for series in histories]
    all_series = [series for series in all_series if series.nights]
    told = list(_told(record, plan))
    new: list[Step] = []
    known: list[Step] = []
    for series in all_series:
        mine = [
            step
            for step in told
            if (step.cell, step.metric, step.unit) == (series.cell, series.metric, series.unit)
        ]
        for step in _steps(series, len(all_series)):
            earlier = next((t for t in mine if _same(t, step, series)), None)
            if earlier is None:
                sides = Sides(plan, step.cell, step.night, step.found)
                new.append(replace(step, differences=differences(record, sides)))
            elif earlier not in new and earlier not in known:
                (new if earlier.told == night else known).append(earlier)
    failed, limited = _cells(record, plan, night)
    names = tuple(series.name for series in all_series)
    return Verdict(plan, night, names, tuple(new), tuple(known), failed, limited)


def tell(record: Record, verdict: Verdict) -> None:
    """Note that the steps of a verdict have been told, in this night's check."""
    for step in verdict.new:
        if step.told is None:
            told = replace(step, told=verdict.night)
            data = json.dumps(asdict(told), default=str, indent=1).encode()
            record.store.write(f"{_folder(verdict.plan)}/{step.id}.json", data)


def _steps(series: Series, count: int) -> Iterator[Step]:
    """The steps of one of `count` series that are judged together."""
    starts = [0]
    for change in changes.find(series.values, count):
        before = series.values[starts[-1] : change.index]
        level = float(sorted(before)[len(before) // 2])
        worse = (change.ratio < 1) == (series.better == "more")
        yield Step(
            plan=series.plan,
            cell=series.cell,
            metric=series.metric,
            unit=series.unit,
            night=series.nights[change.index],
            found=series.nights[change.found],
            before=level,
            after=level * change.ratio,
            ratio=change.ratio,
            low=change.low,
            high=change.high,
            worse=worse,
        )
        starts.append(change.index)


def _same(told: Step, step: Step, series: Series) -> bool:
    """Whether a step that was told is this one, which late nights may have moved."""
    if (told.ratio > 1) != (step.ratio > 1):
        return False
    first, last = sorted((told.night, step.night))
    return sum(first <= night < last for night in series.nights) < _SAME_STEP


def _until(series: Series, night: date) -> Series:
    end = sum(one <= night for one in series.nights)
    return replace(
        series,
        nights=series.nights[:end],
        values=series.values[:end],
        counts=series.counts[:end],
    )


def _night(record: Record, plan: str, wanted: date | None) -> date:
    """The night that is wanted, or the last one."""
    where = "WHERE night = ?" if wanted else ""
    sql = f"SELECT max(night) AS night FROM samples {where}"
    found = record.query(sql, (wanted,) if wanted else (), plan=plan).to_pylist()[0]["night"]
    if found is None:
        raise InputError(f"the plan {plan} has no samples of {wanted}")
    last: date = found
    return last


def _cells(
    record: Record, plan: str, night: date
) -> tuple[tuple[FailedCell, ...], tuple[LimitedCell, ...]]:
    """The cells that failed, and those that AWS limited in every run."""
    rows = record.query(_CELLS, (night,), plan=plan).to_pylist()
    before = record.query(_CELLS_BEFORE, (night,), plan=plan).column("cell").to_pylist()
    there = {row["cell"] for row in rows}
    failed = [
        FailedCell(plan, row["cell"], row["failed"], row["runs"], row["error"])
        for row in rows
        if row["failed"]
    ]
    gone = [
        FailedCell(plan, cell, 0, 0, "was not measured, though it was the night before")
        for cell in before
        if cell not in there
    ]
    exceeded = record.query(_EXCEEDED, (night,), plan=plan).to_pylist()
    limited = (
        LimitedCell(cell, tuple(one["counter"] for one in exceeded if one["cell"] == cell))
        for cell in (r["cell"] for r in rows if r["limited"] == r["runs"] - r["failed"] > 0)
    )
    return (*failed, *gone), tuple(limited)


def _folder(plan: str) -> str:
    return f"told/{plan}"


def _told(record: Record, plan: str) -> Iterable[Step]:
    """The steps of a plan that earlier checks told."""
    for path, text in record.store.read(_folder(plan)).items():
        try:
            yield _told_step(json.loads(text))
        except (ValueError, TypeError, KeyError):
            place = f"{record.store.scheme}{record.store.root}/{path}"
            raise InputError(
                f"{place} is damaged, or of another version of nitro",
                hint="remove it, and its step is told again",
            ) from None


def _told_step(values: dict[str, Any]) -> Step:
    dates = {name: date.fromisoformat(values[name]) for name in ("night", "found", "told")}
    found = tuple(Difference(**one) for one in values["differences"])
    return Step(**(values | dates | {"differences": found}))


def _step_document(step: Step) -> CheckedStepDocument:
    return {
        "cell": step.cell,
        "metric": step.metric,
        "unit": step.unit,
        "since": step.night.isoformat(),
        "found": step.found.isoformat(),
        "before": step.before,
        "after": step.after,
        "ratio": step.ratio,
        "interval": [step.low, step.high],
        "worse": step.worse,
        "changed": [one.to_json() for one in step.differences],
    }


def _failed_document(cell: FailedCell) -> FailedCellDocument:
    return {"cell": cell.cell, "failed": cell.failed, "runs": cell.runs, "error": cell.error}
