"""netperf: how many requests TCP or UDP answers in a second, how fast, and what a stream carries.

netperf drops the names of numbers it does not know and falls back to another test without a
word, both with exit code 0. So the test, its direction, its unit and every number are asked
for by name, and each must be in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field

from nitro.errors import ProbeError
from nitro.probe import invariants
from nitro.probe.base import PortNumber, Probe, Seconds
from nitro.probe.reading import number, quote
from nitro.probe.result import Measured, Metric
from nitro.probe.step import Step

DATA_PORT = 12866  # of the instance: netperf's own choice would be a random one

_BUSY = 1.1  # seconds of transactions in a second: 1, and what rounding makes of it

# Whole lines only: the last one of an answer that was cut off may lack digits.
_PAIR = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)\n", re.MULTILINE)
_LATENCIES = {
    "P50_LATENCY": "p50",
    "P90_LATENCY": "p90",
    "P99_LATENCY": "p99",
    "MEAN_LATENCY": "mean",
    "MAX_LATENCY": "max",
}


@dataclass(frozen=True)
class NetperfTest:
    """A test of netperf, and by which values of its answer one knows that it ran."""

    name: str
    metric: str
    direction: str
    units: str
    factor: float
    unit: str
    extra: tuple[str, ...]
    protocol: str = "TCP"
    #: the option that sets the size of a message, and the answer's names for it
    size: str = "-r {0},{0}"
    sizes: tuple[str, ...] = ("REQUEST_SIZE", "RESPONSE_SIZE")

    @property
    def selectors(self) -> tuple[str, ...]:
        return (
            "PROTOCOL",
            "DIRECTION",
            "THROUGHPUT_UNITS",
            "THROUGHPUT",
            "ELAPSED_TIME",
            *self.extra,
        )


# Directions in netperf's answers are those of the client.
TESTS = {
    "rr": NetperfTest(
        "TCP_RR", "tcp_rr", "Send|Recv", "Trans/s", 1, "transactions/s", tuple(_LATENCIES)
    ),
    "crr": NetperfTest(
        "TCP_CRR", "tcp_crr", "Connect|Send|Recv", "Trans/s", 1, "transactions/s", tuple(_LATENCIES)
    ),
    "udp-rr": NetperfTest(
        "UDP_RR", "udp_rr", "Send|Recv", "Trans/s", 1, "transactions/s", tuple(_LATENCIES), "UDP"
    ),
    "in": NetperfTest(
        "TCP_STREAM",
        "tcp_stream_in",
        "Send",
        "10^6bits/s",
        1e6,
        "bit/s",
        ("LOCAL_TRANSPORT_RETRANS",),
        size="-m {}",
        sizes=("LOCAL_SEND_SIZE",),
    ),
    "out": NetperfTest(
        "TCP_MAERTS",
        "tcp_stream_out",
        "Receive",
        "10^6bits/s",
        1e6,
        "bit/s",
        ("REMOTE_TRANSPORT_RETRANS",),
        size="-m ,{}",
        sizes=("REMOTE_SEND_SIZE",),
    ),
}


class Netperf(Probe):
    """`rr` is TCP_RR, `crr` TCP_CRR, `udp-rr` UDP_RR, `in` TCP_STREAM, `out` TCP_MAERTS.

    `size` in bytes is that of a request and of its answer (1 if None), or of what one call of
    send writes (None: the socket's buffer)."""

    tool: ClassVar[str] = "netperf"
    port: PortNumber = 12865
    data_port: PortNumber = DATA_PORT
    seconds: Seconds = 2
    test: Literal["rr", "crr", "udp-rr", "in", "out", "default"] = "default"
    size: int | None = Field(default=None, ge=1, le=1 << 20)

    @classmethod
    def default_for(cls, tcp_ports: Collection[int]) -> Self | None:
        return cls() if cls().port in tcp_ports else None

    def steps(self, target: str) -> list[Step]:
        wanted = ["in", "rr"] if self.test == "default" else [self.test]
        return [self._step(target, TESTS[key]) for key in wanted]

    def _step(self, target: str, test: NetperfTest) -> Step:
        argv = ["netperf", "-H", target, "-p", str(self.port), "-t", test.name]
        argv += ["-l", str(self.seconds), "--", "-P", f",{self.data_port}"]
        if self.size or test.units == "Trans/s":
            argv += test.size.format(self.size or 1).split()
        argv += ["-k", ",".join([*test.selectors, *(test.sizes if self.size else ())])]
        read = partial(parse, test, seconds=self.seconds, size=self.size)
        name = f"netperf-{test.name.lower().replace('_', '-')}"
        return Step(name, self.tool, self.port, tuple(argv), self.seconds, read)


def parse(
    test: NetperfTest,
    out: str,
    err: str = "",
    *,
    seconds: float | None = None,
    size: int | None = None,
) -> Measured:
    """Read the KEY=VALUE answer (`-k`) of `test`, which was to take `seconds`, with messages of
    `size` bytes (None: not asked for).

    The metric of the test in transactions/s or bit/s; latencies of a transaction in s; the
    sender's retransmitted segments where its system tells them. Raises ProbeError.
    """
    pairs = _PAIR.findall(out)
    answer = dict(pairs)
    identity = {
        "PROTOCOL": test.protocol,
        "DIRECTION": test.direction,
        "THROUGHPUT_UNITS": test.units,
    }
    sizes = dict.fromkeys(test.sizes, str(size)) if size else {}
    identity |= sizes
    for key, expected in identity.items():
        if answer.get(key, expected) != expected:
            raise ProbeError(
                f"netperf ran something else than {test.name}: "
                f"{key} is {quote(answer[key])}, not {expected!r}"
            )
    if missing := [key for key in (*test.selectors, *sizes) if key not in answer]:
        raise ProbeError(f"netperf's {test.name} gives no {missing[0]}: {quote(out + err)}")
    if len(pairs) != len(answer):
        raise ProbeError(f"netperf gives a value twice: {quote(out)}")
    throughput = number(answer["THROUGHPUT"], "netperf's THROUGHPUT")
    if throughput <= 0:
        raise ProbeError(f"netperf's {test.name} carried nothing: {quote(out)}")
    elapsed = number(answer["ELAPSED_TIME"], "netperf's ELAPSED_TIME")
    invariants.duration("netperf", elapsed, seconds)
    metrics = {test.metric: Metric(throughput * test.factor, test.unit, "more")}
    for key in test.extra:
        value = number(answer[key], f"netperf's {key}")
        if key in _LATENCIES:
            metrics[f"{test.metric}_{_LATENCIES[key]}"] = Metric(value / 1e6, "s", "less")
        elif value != -1:  # −1: not known on that system
            invariants.count("netperf", "retransmits", value)
            metrics[f"{test.metric}_retransmits"] = Metric(value, "segments", "less")
    _check_latencies(test, metrics, throughput)
    return Measured(metrics)


def _check_latencies(test: NetperfTest, metrics: dict[str, Metric], throughput: float) -> None:
    """One transaction at a time: in each second there is room for 1 ÷ mean of them."""
    prefix = f"{test.metric}_"
    names = [name for key, name in _LATENCIES.items() if key in test.extra]
    if not names:
        return
    times = {name: metrics[prefix + name].value for name in names}
    invariants.latencies("netperf", times)
    if throughput * times["mean"] > _BUSY:
        raise ProbeError(
            f"netperf contradicts itself: {throughput:g} transactions/s one at a time, "
            f"each of {times['mean']:g} s"
        )
