"""A sample: one run of one tool in one cell, with all that it was taken under.

docs/benchmarking.md describes each field for users; the Parquet columns are in record/table.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from nitro.bench.plan import Cell, Task
from nitro.probe import Allowance, Metric, Result

Phase = Literal["warm-up", "steady"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a run was taken under, as far as it is known; empty or None where it is not.

    `placement` is the placement group's name or "cluster", `market` "on-demand" or "spot".
    `baseline_bits` and `peak_bits` in bit/s are what the instance type promises. `host` is the
    processor of the machine that ran nitro.
    """

    plan_digest: str = ""
    digest: str = ""
    cloud: str = ""
    zone: str = ""
    placement: str = ""
    market: str = ""
    server: str = ""
    client: str = ""
    accelerator: str = ""
    kernel: str = ""
    nic: str = ""
    driver: str = ""
    driver_version: str | None = None
    nitro: str = ""
    revision: str | None = None
    host: str | None = None
    baseline_bits: float | None = None
    peak_bits: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `error` is None when it succeeded; a failed run has no metrics and is no zero.

    `night` is the UTC date that the night is keyed by, `started` (UTC) when the tool began, by
    the clock of the machine that ran it. `seconds` is the length of the run with everything
    around the measurement. `raw` is what the tool printed: every metric can be found in it.
    """

    plan: str
    night: date
    cell: Cell
    repetition: int
    position: int
    phase: Phase
    started: datetime
    seconds: float
    tool: str
    command: str
    version: str | None
    error: str | None
    metrics: Mapping[str, Metric]
    raw: str
    circumstances: Circumstances = field(default_factory=Circumstances)
    allowances: tuple[Allowance, ...] = ()

    @property
    def id(self) -> str:
        return sample_id(self.plan, self.night, self.cell, self.repetition)

    @property
    def limited(self) -> bool:
        """Whether AWS, rather than the driver, set the limit: an allowance was exceeded."""
        return any(one.count > 0 for one in self.allowances)


def sample_id(plan: str, night: date, cell: Cell, repetition: int) -> str:
    """32 hexadecimal digits: the same measurement of the same night has the same id."""
    text = f"{plan}\n{night.isoformat()}\n{cell.key}\n{repetition}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def from_result(
    task: Task,
    result: Result,
    *,
    plan: str,
    night: date,
    warm_up: int,
    circumstances: Circumstances,
) -> Sample:
    """The sample of a task whose step gave `result`; `warm_up` as in the plan."""
    return Sample(
        plan=plan,
        night=night,
        cell=task.cell,
        repetition=task.repetition,
        position=task.position,
        phase="warm-up" if task.repetition < warm_up else "steady",
        started=datetime.fromtimestamp(result.started, UTC),
        seconds=result.seconds,
        tool=result.tool,
        command=result.command,
        version=result.version,
        error=result.error,
        metrics=result.metrics,
        raw=result.raw,
        circumstances=circumstances,
        allowances=result.allowances,
    )
