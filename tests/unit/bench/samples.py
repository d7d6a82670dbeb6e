"""Samples for tests: one cell, and a night of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np

from nitro.bench.plan import Cell, Machine, Task, Test
from nitro.bench.record import Record
from nitro.bench.sample import Circumstances, Sample
from nitro.documents.metrics import Better
from nitro.probe import Metric

NIGHT = date(2026, 11, 26)
CELL = Cell(Machine("bench", "nitro", "c5.large", "eu-west-1"), Test("iperf3-tcp", "in"))
CIRCUMSTANCES = Circumstances(
    plan_digest="sha256:0123",
    digest="sha256:4567",
    cloud="aws",
    zone="eu-west-1a",
    placement="cluster",
    server="i-0123",
    client="i-4567",
    accelerator="nitro",
    kernel="6.12.0",
    nic="ena",
    driver="nitro",
    nitro="0.1.0",
    baseline_bits=0.75e9,
    peak_bits=10e9,
)


def task(repetition: int = 1, cell: Cell = CELL, position: int = 0) -> Task:
    return Task(cell, repetition, position)


def sample(
    value: float = 1e9,
    *,
    metric: str = "tcp_in",
    better: Better = "more",
    night: date = NIGHT,
    cell: Cell = CELL,
    repetition: int = 0,
    error: str | None = None,
    **fields: Any,
) -> Sample:
    """A sample of one metric, or of none with an `error`."""
    values: dict[str, Any] = {
        "plan": "small",
        "night": night,
        "cell": cell,
        "repetition": repetition,
        "position": repetition,
        "phase": "steady",
        "started": datetime.combine(night, time(1), UTC) + timedelta(seconds=repetition),
        "seconds": 2.5,
        "tool": "iperf3",
        "command": "iperf3 --json",
        "version": "3.18",
        "error": error,
        "metrics": {} if error else {metric: Metric(value, "bit/s", better)},
        "raw": "{}",
        "circumstances": CIRCUMSTANCES,
    }
    return Sample(**(values | fields))


CELLS = [
    replace(CELL, machine=replace(CELL.machine, driver=driver, instance_type=kind))
    for driver in ("nitro", "kernel")
    for kind in ("c5.large", "c6in.large")
]


def fill(
    record: Record,
    nights: Iterable[date],
    *,
    factor: Callable[[Cell, date], float] = lambda cell, night: 1.0,
    cells: Iterable[Cell] = tuple(CELLS),
    seed: int = 1,
    repetitions: int = 3,
    **fields: Any,
) -> None:
    """Nights of all cells with little noise, in which a cell has `factor` of its usual level."""
    rng = np.random.default_rng(seed)
    for night in nights:
        record.append(
            sample(
                5e9 * factor(cell, night) * float(np.exp(rng.normal(0, 0.01))),
                night=night,
                cell=cell,
                repetition=repetition,
                **fields,
            )
            for cell in cells
            for repetition in range(repetitions)
        )


def days(count: int, first: date = NIGHT) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]
