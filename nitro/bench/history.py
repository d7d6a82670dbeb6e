"""The history of each cell: one value a night for each metric, the median of its repetitions.

Repetitions that warm up are left out, and so are those that an allowance limited: they show what
AWS permits, not what the driver does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from pyarrow import Table

from nitro.bench.record import Record
from nitro.documents.bench import HistoryDocument
from nitro.documents.metrics import Better

# Numbers that explain a result but have no level of their own: counts near 0, processor time,
# the longest of many, and what repeats another metric.
_NOT_JUDGED = r"_(retransmits|cpu_instance|cpu_client|lost|jitter|rate|max|mean|p75|p90)$"

_SQL = """
SELECT plan, cell, metric, unit, better, night, median(value) AS value, count(*) AS count
FROM metrics
WHERE phase = 'steady' AND NOT limited AND better IS NOT NULL AND value > 0
  AND NOT regexp_matches(metric, ?) AND cell GLOB ? AND metric GLOB ?
GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True)
class Series:
    """One metric of one cell: what happened each night, oldest first; nights may be missing.

    In another unit it is another series.

    `values` are the medians of `counts` repetitions, in `unit`.
    """

    plan: str
    cell: str
    metric: str
    unit: str
    better: Better
    nights: tuple[date, ...]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        return f"{self.cell} {self.metric}"

    def to_json(self) -> HistoryDocument:
        """The series as JSON has it."""
        return {
            "plan": self.plan,
            "cell": self.cell,
            "metric": self.metric,
            "unit": self.unit,
            "better": self.better,
            "nights": [night.isoformat() for night in self.nights],
            "values": self.values.tolist(),
            "counts": self.counts.tolist(),
        }


def load(
    record: Record, *, plan: str | None = None, cell: str = "*", metric: str = "*"
) -> list[Series]:
    """The series of all cells and metrics that the patterns (`*`, `?`) fit, sorted.

    Raises InputError when the record has no samples of the plan.
    """
    rows = record.query(_SQL, (_NOT_JUDGED, cell, metric), plan=plan)
    keys = [rows.column(name).to_pylist() for name in ("plan", "cell", "metric", "unit", "better")]
    names = list(zip(*keys, strict=True))
    if not names:
        return []
    starts = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    return [
        _series(rows.slice(start, end - start))
        for start, end in zip(starts, [*starts[1:], len(names)], strict=True)
    ]


def _series(rows: Table) -> Series:
    first = rows.slice(0, 1).to_pylist()[0]
    return Series(
        plan=first["plan"],
        cell=first["cell"],
        metric=first["metric"],
        unit=first["unit"],
        better=first["better"],
        nights=tuple(rows.column("night").to_pylist()),
        values=rows.column("value").to_numpy(),
        counts=rows.column("count").to_numpy(),
    )
