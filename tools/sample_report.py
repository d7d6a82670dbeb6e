"""Writes docs/bench-report.html: a report of simulated nights, for a look at one.

    python -m tools.sample_report

Twenty nights of two drivers on two types. One cell becomes 10 % slower with another image in the
sixteenth; in the last night one cell is limited by its allowance, and one run fails.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from nitro.bench.plan import Cell, Machine, Test
from nitro.bench.record import Record
from nitro.bench.report import write
from nitro.bench.sample import Circumstances, Sample
from nitro.bench.store import FolderStore
from nitro.probe import Allowance, Metric

PAGE = Path(__file__).parents[1] / "docs/bench-report.html"
FIRST, NIGHTS, STEP, REPETITIONS = date(2026, 11, 1), 20, 15, 10
_CELLS = [
    Cell(Machine("bench", driver, kind, "eu-west-1"), Test("iperf3-tcp", direction))
    for driver in ("nitro", "kernel")
    for kind in ("c5.large", "c6in.large")
    for direction in ("in", "out")
]
_SLOWER, _LIMITED, _FAILED = _CELLS[2], _CELLS[5], _CELLS[7]


def samples() -> Iterator[Sample]:
    """The simulated nights."""
    rng = np.random.default_rng(7)
    for number in range(NIGHTS):
        last = number == NIGHTS - 1
        for cell in _CELLS:
            new_image = cell.machine.driver == "nitro" and number >= STEP
            level = 4.6e9 if cell == _SLOWER and number >= STEP else 5.1e9
            for repetition in range(REPETITIONS):
                speed = round(level * float(np.exp(rng.normal(0, 0.015))), 1)
                failed = last and cell == _FAILED and repetition == 3
                limit = 40 if last and cell == _LIMITED else 0
                metric = f"tcp_{cell.test.direction}"
                night = FIRST + timedelta(days=number)
                yield Sample(
                    plan="simulated",
                    night=night,
                    cell=cell,
                    repetition=repetition,
                    position=repetition,
                    phase="steady",
                    started=datetime.combine(night, time(2, repetition), UTC),
                    seconds=11.0,
                    tool="iperf3",
                    command="iperf3 --json",
                    version="3.18",
                    error="the server never came up" if failed else None,
                    metrics={} if failed else {metric: Metric(speed, "bit/s", "more")},
                    raw=f'{{"simulated": true, "bits_per_second": {speed}}}',
                    circumstances=Circumstances(
                        digest="sha256:2" if new_image else "sha256:1",
                        cloud="simulated",
                        zone="eu-west-1a",
                        server=f"i-{number:03}",
                        kernel="6.12.57",
                        driver=cell.machine.driver,
                        baseline_bits=0.75e9,
                        peak_bits=10e9,
                    ),
                    allowances=(Allowance("server", "bw_in_allowance_exceeded", limit),),
                )


def make(page: Path) -> None:
    """Write the report of the simulated nights to a file."""
    with tempfile.TemporaryDirectory() as folder:
        record = Record(FolderStore(Path(folder) / "record"))
        record.append(samples())
        shutil.copyfile(write(record, Path(folder) / "report"), page)


if __name__ == "__main__":
    make(PAGE)
