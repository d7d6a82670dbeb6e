"""iperf3: what TCP or UDP carries into the instance and out of it.

The exit code is not looked at: 3.12 exits 0 when the server is busy or refuses. A run counts
when its JSON has no top-level `error` and a complete `end`. Bidirectional runs are refused:
up to 3.11 their JSON has the same names for both directions.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from nitro.errors import ProbeError
from nitro.probe.base import PortNumber, Probe, Seconds
from nitro.probe.reading import finite, quote
from nitro.probe.result import Measured, Metric
from nitro.probe.step import Step

CONNECT_TIMEOUT = 5000  # milliseconds
# Seconds: after each client, also one that only knocked, the server opens its port anew and
# refuses whoever comes in between.
SETTLE = 0.5


class Iperf3(Probe):
    """`in` is from the client into the instance, `out` the other way. `udp` is the rate of
    each stream in bit/s (`100M`); without it the runs are TCP."""

    tool: ClassVar[str] = "iperf3"
    port: PortNumber = 5201
    seconds: Seconds = 3
    streams: int = Field(default=1, ge=1, le=128)
    direction: Literal["in", "out", "both"] = "both"
    udp: str | None = Field(default=None, pattern=r"^[1-9][0-9]{0,11}[KMG]?$")

    @classmethod
    def default_for(cls, tcp_ports: Collection[int]) -> Self | None:
        return cls() if cls().port in tcp_ports else None

    def steps(self, target: str) -> list[Step]:
        directions = ["in", "out"] if self.direction == "both" else [self.direction]
        return [self._step(target, direction) for direction in directions]

    def _step(self, target: str, direction: str) -> Step:
        argv = ["iperf3", "--json", "--client", target, "--port", str(self.port)]
        argv += ["--connect-timeout", str(CONNECT_TIMEOUT)]
        argv += ["--time", str(self.seconds), "--parallel", str(self.streams)]
        argv += ["--udp", "--bitrate", self.udp] if self.udp else []
        argv += ["--reverse"] if direction == "out" else []
        protocol = "udp" if self.udp else "tcp"
        name = f"iperf3-{protocol}-{direction}"
        return Step(name, self.tool, self.port, tuple(argv), self.seconds, parse, SETTLE)


def parse(out: str, err: str = "") -> Measured:
    """Read what `iperf3 --json` printed.

    For TCP `tcp_in` or `tcp_out` in bit/s, as the receiver counted, and where the sender tells
    it `…_retransmits` in segments; for UDP `udp_in` or `udp_out`, `…_lost` in %, `…_jitter`
    in s and `…_rate` in packets/s. `…_cpu_instance` and `…_cpu_client` are in % of one
    processor. Raises ProbeError.
    """
    if not out.strip():
        raise ProbeError(f"iperf3 printed no result: {quote(err)}")
    try:
        document = json.loads(out, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        raise ProbeError(f"iperf3 printed no complete JSON: {quote(out)}") from None
    if isinstance(document, dict) and "error" in document:
        raise ProbeError(f"iperf3 says {quote(str(document['error']))}")
    test = _object(document, "start", "test_start")
    protocol, reverse = _get(test, "protocol"), _get(test, "reverse")
    if protocol not in ("TCP", "UDP") or reverse not in (0, 1) or test.get("bidir"):
        raise ProbeError(f"iperf3 ran a test that was not asked for: {quote(str(test))}")
    version = str(_get(document, "start", "version")).removeprefix("iperf ")
    end = _object(document, "end")
    prefix = f"{protocol.lower()}_{'out' if reverse else 'in'}"
    found = _tcp(end) if protocol == "TCP" else _udp(end, version)
    found |= _processors(end)
    return Measured({prefix + suffix: metric for suffix, metric in found.items()}, version)


def _tcp(end: dict[str, Any]) -> dict[str, Metric]:
    received, sent = _object(end, "sum_received"), _object(end, "sum_sent")
    found = {"": _rate(received)}
    if "retransmits" in sent:  # not on every system, and always the sender's
        found["_retransmits"] = Metric(
            finite(sent["retransmits"], "retransmits"), "segments", "less"
        )
    return found


def _udp(end: dict[str, Any], version: str) -> dict[str, Metric]:
    if "sum_received" not in end and "sum" in end:
        raise ProbeError(
            f"iperf3 {version} reports UDP as the sender sees it only",
            hint="use iperf3 3.11 or newer",
        )
    received = _object(end, "sum_received")
    # The receiver's count goes up to the last packet that it saw, lost ones included.
    packets, lost = _number(received, "packets"), _number(received, "lost_packets")
    rate, seconds = _rate(received), _number(received, "seconds")
    if not 0 <= lost <= packets or packets == 0 or seconds <= 0:
        raise ProbeError(f"iperf3 counts {lost:g} of {packets:g} packets lost in {seconds:g} s")
    return {
        "": rate,
        "_lost": Metric(100 * lost / packets, "%", "less"),
        "_jitter": Metric(_number(received, "jitter_ms") / 1e3, "s", "less"),
        "_rate": Metric((packets - lost) / seconds, "packets/s", "more"),
    }


def _processors(end: dict[str, Any]) -> dict[str, Metric]:
    use = _object(end, "cpu_utilization_percent")
    return {
        "_cpu_instance": Metric(_number(use, "remote_total"), "%", "less"),
        "_cpu_client": Metric(_number(use, "host_total"), "%", "less"),
    }


def _rate(total: dict[str, Any]) -> Metric:
    if _number(total, "bytes") <= 0:
        raise ProbeError("iperf3 received nothing")
    return Metric(_number(total, "bits_per_second"), "bit/s", "more")


def _number(document: dict[str, Any], key: str) -> float:
    return finite(_get(document, key), f"iperf3's {key}")


def _object(document: Any, *path: str) -> dict[str, Any]:
    found = _get(document, *path)
    if not isinstance(found, dict):
        raise ProbeError(f"iperf3's {path[-1]} is not an object: {quote(str(found))}")
    return found


def _get(document: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            raise ProbeError(f"iperf3's result has no {key}: {quote(str(document))}")
        document = document[key]
    return document


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which the totals are given once: those of old bidirectional runs are not."""
    names = [name for name, _ in pairs]
    for name in ("sum_sent", "sum_received"):
        if names.count(name) > 1:
            raise ProbeError(f"iperf3 gives {name} twice, as versions before 3.12 do with --bidir")
    return dict(pairs)
