"""Samples for tests: one cell, and a night of several."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from nitro.bench.plan import Cell, Machine, Task, Test
from nitro.bench.sample import Circumstances, Sample
from nitro.probe import Metric

NIGHT = date(2026, 11, 26)
CELL = Cell(Machine("bench", "nitro", "c5.large", "eu-west-1"), Test("iperf3-tcp", "in"))
CIRCUMSTANCES = Circumstances(
    plan_digest="sha256:0123",
    digest="sha256:4567",
    cloud="aws",
    zone="eu-west-1a",
    placement="cluster",
    market="on-demand",
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
        "metrics": {} if error else {metric: Metric(value, "bit/s", "more")},
        "raw": "{}",
        "circumstances": CIRCUMSTANCES,
    }
    return Sample(**(values | fields))
