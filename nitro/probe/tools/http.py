"""HTTP through wrk: how many requests the instance answers in a second, and how fast.

A run with any failed request is a failed probe: errors are answered faster than pages, so
the numbers of such a run flatter.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import ClassVar, Self

from pydantic import Field

from nitro.errors import ProbeError
from nitro.probe import invariants
from nitro.probe.base import PortNumber, Probe, Seconds
from nitro.probe.reading import number, quote
from nitro.probe.result import Measured, Metric
from nitro.probe.step import Step

PORTS = (80, 8080, 8000)  # where a web server listens, the likeliest first

_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIME = r"(\d+\.\d+)(us|ms|s|m|h)"
_LATENCY = re.compile(rf"^ +Latency +{_TIME} +{_TIME} +{_TIME} +", re.MULTILINE)
_PERCENTILE = re.compile(rf"^ +(50|75|90|99)% +{_TIME}$", re.MULTILINE)
_REQUESTS = re.compile(rf"^ +(\d+) requests in {_TIME}, ", re.MULTILINE)
# The last two lines, whole: a result that was cut off may lack digits.
_RATE = re.compile(r"^Requests/sec: +(\d+\.\d+)\nTransfer/sec: +[0-9.]+[KMGTP]?B\n", re.MULTILINE)
_SOCKET = re.compile(
    r"^ +Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE
)
_STATUS = re.compile(r"^ +Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)


class Http(Probe):
    """GET requests over `connections` that stay open, each with one request at a time."""

    tool: ClassVar[str] = "http"
    port: PortNumber = 80
    seconds: Seconds = 3
    connections: int = Field(default=8, ge=1, le=10_000)
    path: str = Field(default="/", pattern=r"^/[!-~]*$")
    timeout: Seconds = 2

    @classmethod
    def default_for(cls, tcp_ports: Collection[int]) -> Self | None:
        return next((cls(port=port) for port in PORTS if port in tcp_ports), None)

    def steps(self, target: str) -> list[Step]:
        host = f"[{target}]" if ":" in target else target
        argv = ["wrk", "--latency", "-t", "1", "-c", str(self.connections)]
        argv += ["-d", f"{self.seconds}s", "--timeout", f"{self.timeout}s"]
        argv += [f"http://{host}:{self.port}{self.path}"]
        read = partial(parse, seconds=self.seconds)
        return [Step("http", self.tool, self.port, tuple(argv), self.seconds, read)]


def parse(out: str, err: str = "", *, seconds: float | None = None) -> Measured:
    """Read what `wrk --latency` printed of a run that was to take `seconds`.

    `http` in requests/s, `http_p50`, `_p75`, `_p90`, `_p99`, `_mean` and `_max` in s.
    Raises ProbeError, also for any socket error and any status of 400 and above.
    """
    rate, requests = _RATE.search(out), _REQUESTS.search(out)
    latency = _LATENCY.search(out)
    percentiles = {p: (value, unit) for p, value, unit in _PERCENTILE.findall(out)}
    if not (rate and requests and latency and len(percentiles) == 4):
        raise ProbeError(f"wrk printed no complete result: {quote(out + err)}")
    total = number(requests[1], "wrk's number of requests")
    if failures := _failures(out):
        raise ProbeError(f"of {total:g} HTTP requests {failures}")
    if total == 0:
        raise ProbeError(f"no HTTP request was answered: {quote(out)}")
    _check_whole(out, rate)
    times = {f"p{p}": percentiles[p] for p in ("50", "75", "90", "99")}
    times |= {"mean": (latency[1], latency[2]), "max": (latency[5], latency[6])}
    latencies = {
        name: number(value, f"wrk's {name}") * _TIMES[unit] for name, (value, unit) in times.items()
    }
    measured = number(requests[2], "wrk's time") * _TIMES[requests[3]]
    per_second = number(rate[1], "wrk's rate")
    invariants.duration("wrk", measured, seconds)
    invariants.rate("wrk", per_second, total, measured)
    invariants.latencies("wrk", latencies)
    # No request takes longer than all of them together, but for what rounding makes of it.
    invariants.at_most("wrk", "a maximum in s", latencies["max"], 1.05 * measured)
    metrics = {"http": Metric(per_second, "requests/s", "more")}
    for name, value in latencies.items():
        metrics[f"http_{name}"] = Metric(value, "s", "less")
    return Measured(metrics)


def _check_whole(out: str, rate: re.Match[str]) -> None:
    """One result, and nothing around it."""
    if len(_REQUESTS.findall(out)) > 1:
        raise ProbeError(f"wrk printed its result twice: {quote(out)}")
    if before := out[: max(out.find("Running "), 0)].strip():
        raise ProbeError(f"wrk printed text before its result: {quote(before)}")
    if after := out[rate.end() :].strip():
        raise ProbeError(f"wrk printed text after its result: {quote(after)}")


def _failures(out: str) -> str:
    """What went wrong, as the end of a sentence; "" when nothing did."""
    counts: list[tuple[str, str]] = []
    if errors := _SOCKET.search(out):
        counts += zip(errors.groups(), ("connect", "read", "write", "timeout"), strict=True)
    said = [f"{n} had a {what} error" for n, what in counts if n.strip("0")]
    if status := _STATUS.search(out):
        said.append(f"{status[1]} were answered with an error status")
    return ", ".join(said)
