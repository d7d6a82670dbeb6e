"""A record that has one of everything that `nitro bench` says something of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nitro.bench.plan import Cell, Machine, Test
from nitro.bench.record import Record
from nitro.bench.sample import Sample
from nitro.probe import Allowance, Metric
from tests.unit.bench.samples import CIRCUMSTANCES, days

NIGHTS = days(24)
LAST = NIGHTS[-1]
FASTER, SLOWER = NIGHTS[10], NIGHTS[20]
PLAN, OTHER = "nightly", "weekly"
_TYPES = {"c5.large": (0.75e9, 5.4e9), "c6in.large": (3.125e9, 25e9)}

_STREAMS = Test("iperf3-tcp", "in", streams=4)
_UDP = Test("iperf3-udp", "out", message_bytes=1400, rate="100M")
_REQUESTS = Test("http", streams=64)
_ANSWERS = Test("netperf-tcp-rr", message_bytes=1, mtu=1500)


def cell(driver: Any = "nitro", kind: str = "c5.large", test: Test = _STREAMS) -> Cell:
    return Cell(Machine("bench", driver, kind, "eu-west-1"), test)


SLOWED = cell()
HASTENED = cell("kernel", "c6in.large")
DELAYED = cell(test=_ANSWERS)
FAILED = cell("kernel", test=_REQUESTS)
GONE = cell("kernel", "c6in.large", _REQUESTS)
LIMITED = cell("nitro", "c6in.large", _UDP)
CELLS = [
    *(SLOWED, cell("kernel"), cell("nitro", "c6in.large"), HASTENED),
    *(DELAYED, cell("kernel", test=_ANSWERS)),
    *(cell(test=_REQUESTS), FAILED, cell("nitro", "c6in.large", _REQUESTS), GONE),
    *(LIMITED, cell("kernel", "c6in.large", _UDP)),
]


def fill(record: Record) -> None:
    """Write 24 nights of the plan `nightly`, and two of `weekly`, whose cell is new."""
    record.append(_samples())
    # A run that failed and was made again by another process, which stands in a file of its own.
    again = next(one for one in _samples() if one.error and one.cell == SLOWED)
    record.append([replace(again, error=None, metrics=_metrics(again.cell, 1.0, 1.0))])


def _samples() -> Iterator[Sample]:
    noise = random.Random(11)
    for number, night in enumerate(NIGHTS):
        position = 0
        for repetition in range(4):
            for one in CELLS:
                if one == GONE and night == LAST:
                    continue
                yield _sample(one, number, repetition, position, 1 + noise.uniform(-0.01, 0.01))
                position += 1
    new = cell("nitro", "c6in.large", Test("netperf-tcp-stream", "out"))
    for number in (0, 7):
        for repetition in range(15):
            factor = 1 + noise.uniform(-0.01, 0.01)
            made = _sample(new, number, repetition, repetition, factor)
            yield replace(made, plan=OTHER)


def _sample(one: Cell, number: int, repetition: int, position: int, factor: float) -> Sample:
    night = NIGHTS[number]
    error = _error(one, night, repetition)
    return Sample(
        plan=PLAN,
        night=night,
        cell=one,
        repetition=repetition,
        position=position,
        phase="warm-up" if repetition == 0 else "steady",
        started=datetime(night.year, night.month, night.day, 1, tzinfo=UTC)
        + timedelta(seconds=12.5 * position),
        seconds=10.25,
        tool=one.test.protocol.partition("-")[0],
        command=f"measure {one.test.protocol} '10.0.0.1' | tee out",
        version="3.18" if night < SLOWER else "3.19",
        error=error,
        metrics={} if error else _metrics(one, _level(one, night), factor),
        raw=f'{{"run": {repetition}, "of": "<{one.key}>"}}\n',
        circumstances=_circumstances(one, night),
        allowances=_allowances(one, night, repetition),
    )


def _level(one: Cell, night: date) -> float:
    """Of a cell's throughput; what takes time takes as much less."""
    if one == SLOWED and night >= SLOWER:
        return 0.85
    if one == HASTENED and night >= FASTER:
        return 1.2
    if one == DELAYED and night >= SLOWER:
        return 0.7
    return 1.1 if one.machine.driver == "kernel" else 1.0


def _error(one: Cell, night: date, repetition: int) -> str | None:
    if one == FAILED and night == LAST and repetition != 1:
        return "http: wrk said\n\x1b[31mno | <route>"
    if one == SLOWED and night == NIGHTS[3] and repetition == 2:
        return "iperf3: the server is busy"
    return None


def _metrics(one: Cell, level: float, factor: float) -> dict[str, Metric]:
    of_type = 2.0 if one.machine.instance_type == "c6in.large" else 1.0
    more, less = level * factor * of_type, factor / level / of_type
    name = one.test.protocol.replace("iperf3-", "").replace("-", "_")
    if one.test == _REQUESTS:
        return {
            "http_rps": Metric(float(round(60e3 * more)), "requests/s", "more"),
            "http_p99": Metric(round(2e-3 * less, 9), "s", "less"),
            "http_max": Metric(round(9e-3 * less, 9), "s", "less"),
        }
    if one.test == _ANSWERS:
        return {
            name: Metric(float(round(20e3 * more)), "transactions/s", "more"),
            f"{name}_p50": Metric(round(48e-6 * less, 9), "s", "less"),
        }
    metrics = {
        f"{name}_{one.test.direction}": Metric(float(round(4.7e9 * more)), "bit/s", "more"),
        f"{name}_retransmits": Metric(3.0, "segments", "less"),
        f"{name}_cpu_client": Metric(float("nan"), "%", "less"),
        f"{name}_mss": Metric(1448.0, "bytes", None),
    }
    if one.test == _UDP:
        metrics["udp_lost"] = Metric(0.0, "%", "less")
    return metrics


def _allowances(one: Cell, night: date, repetition: int) -> tuple[Allowance, ...]:
    if one == LIMITED and night == LAST:
        return (
            Allowance("client", "pps_allowance_exceeded", 12),
            Allowance("server", "bw_out_allowance_exceeded", repetition),
            Allowance("server", "conntrack_allowance_exceeded", 0),
        )
    if one == DELAYED and night == LAST and repetition == 2:
        return (Allowance("server", "bw_in_allowance_exceeded", 7),)
    return ()


def _circumstances(one: Cell, night: date) -> Any:
    kernels = one.machine.driver == "kernel"
    baseline, peak = _TYPES[one.machine.instance_type]
    later = night >= (FASTER if kernels else SLOWER)
    return replace(
        CIRCUMSTANCES,
        digest="sha256:89ab" if later else "sha256:4567",
        driver=one.machine.driver,
        driver_version=("2.14.0" if later else "2.13.0") if kernels else None,
        kernel="6.12.9" if later and kernels else "6.12.0",
        revision="fedcba9" if later and not kernels else "0123456",
        zone="eu-west-1b" if night == NIGHTS[22] else "eu-west-1a",
        host="EPYC 7R13",
        market="spot" if night == LAST else "on-demand",
        baseline_bits=baseline,
        peak_bits=peak,
    )
