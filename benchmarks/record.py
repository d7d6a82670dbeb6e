"""What `nitro bench check` and `report` take on a large record, and how much memory.

    python -m benchmarks.record [--samples 1000000]

Each command runs as a process of its own on a record of 40 cells, a file a night.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitro.bench.columns import ALLOWANCE, COLUMNS, FILE_SCHEMA, METRIC

CELLS, REPETITIONS = 40, 69
_RAW = '{"start": {"version": "iperf 3.18"}, "intervals": [' + ", ".join(
    f'{{"sum": {{"start": {n}, "end": {n + 1}, "bytes": 125000000, "bits_per_second": 1e9}}}}'
    for n in range(20)
)


def fill(folder: Path, samples: int) -> int:
    """Write nights until there are so many samples; returns how many there are."""
    rng = np.random.default_rng(1)
    rows = CELLS * REPETITIONS
    nights = -(-samples // rows)
    for number in range(nights):
        night = date(2024, 1, 1) + timedelta(days=number)
        part = folder / f"samples/night={night}/plan=large"
        part.mkdir(parents=True)
        pq.write_table(_night(rng, night, number, rows), part / "a.parquet", compression="zstd")
    return nights * rows


def _night(rng: np.random.Generator, night: date, number: int, rows: int) -> pa.Table:
    drivers = ("nitro", "kernel")
    cells = [
        f"c{n // 2}.large eu-west-1 bench {drivers[n % 2]} iperf3-tcp in" for n in range(CELLS)
    ]
    order = [n % CELLS for n in range(rows)]
    values: dict[str, object] = {
        "id": [f"{number:016x}{row:016x}" for row in range(rows)],
        "cell": [cells[n] for n in order],
        "repetition": [row // CELLS for row in range(rows)],
        "position": list(range(rows)),
        "phase": ["steady"] * rows,
        "started": [datetime.combine(night, datetime.min.time(), UTC)] * rows,
        "limited": [False] * rows,
        "driver": [drivers[n % 2] for n in order],
        "instance_type": [f"c{n // 2}.large" for n in order],
        "server": [f"i-{n:017x}" for n in order],
        "zone": ["eu-west-1a"] * rows,
        "peak_bits": [10e9] * rows,
        "raw": [f"{_RAW}, {row}]}}" for row in range(rows)],
    }
    speeds = 5e9 * np.exp(rng.normal(0, 0.02, rows))
    metrics = [
        [
            {"name": "tcp_in", "value": speed, "unit": "bit/s", "better": "more"},
            {"name": "tcp_in_retransmits", "value": 3.0, "unit": "segments", "better": "less"},
            {"name": "tcp_in_cpu_client", "value": 30.0, "unit": "%", "better": "less"},
            {"name": "tcp_in_cpu_instance", "value": 20.0, "unit": "%", "better": "less"},
        ]
        for speed in speeds.tolist()
    ]
    arrays = [
        pa.array(metrics, pa.list_(METRIC))
        if column.name == "metrics"
        else pa.array([[]] * rows, pa.list_(ALLOWANCE))
        if column.name == "allowances"
        else pa.array(values.get(column.name, [None] * rows), column.type)
        for column in COLUMNS
    ]
    return pa.Table.from_arrays(arrays, schema=FILE_SCHEMA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{fill(folder / 'record', samples):,} samples, load {os.getloadavg()[0]:.1f}")
        for words in (["check"], ["report", "-o", str(folder / "report")]):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "nitro", "bench", *words, "--record", f"{folder}/record"],
                stdout=subprocess.DEVNULL,
                check=True,
            )
            seconds = time.perf_counter() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            # The largest child so far: check runs first and is the smaller one.
            memory = after.ru_maxrss / 1024
            print(f"{words[0]:8} {seconds:6.1f} s  processor {processor:6.1f} s  {memory:6.0f} MiB")
        print(f"page     {(folder / 'report/index.html').stat().st_size / 1e6:6.1f} MB")


if __name__ == "__main__":
    main()
