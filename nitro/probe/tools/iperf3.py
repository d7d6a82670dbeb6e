"""iperf3: what TCP or UDP carries into the instance and out of it.

The exit code is not looked at: 3.12 exits 0 when the server is busy or refuses. A run counts
when its JSON has no top-level `error` and a complete `end`. Bidirectional runs are refused:
up to 3.11 their JSON has the same names for both directions.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from nitro.errors import ProbeError
from nitro.probe import invariants
from nitro.probe.base import PortNumber, Probe, Seconds
from nitro.probe.reading import finite, json_document, quote
from nitro.probe.result import Measured, Metric
from nitro.probe.step import Step

CONNECT_TIMEOUT = 5000  # milliseconds
# Seconds: after each client, also one that only knocked, the server opens its port anew and
# refuses whoever comes in between.
SETTLE = 0.5
# Compressed bytes of a report, and of each stream in each second of it: twice of what was seen.
REPORT_BYTES, INTERVAL_BYTES = 2048, 160
# Lines of a report, each of one stream or their sum in one interval of it: 40 runs of so many, the
# most that one client makes, are 20 MB before they are compressed.
_MOST_LINES = 1200
_LONGEST_INTERVAL = 60  # seconds, of iperf3


class Iperf3(Probe):
    """`in` is from the client into the instance, `out` the other way. `udp` is the rate of
    each stream in bit/s (`100M`); without it the runs are TCP. `length` is the size of a message
    in bytes: of a UDP packet's payload, or of what one call of write sends."""

    tool: ClassVar[str] = "iperf3"
    port: PortNumber = 5201
    seconds: Seconds = 3
    streams: int = Field(default=1, ge=1, le=128)
    direction: Literal["in", "out", "both"] = "both"
    udp: str | None = Field(default=None, pattern=r"^[1-9][0-9]{0,11}[KMG]?$")
    length: int | None = Field(default=None, ge=16, le=1 << 20)

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
        argv += ["--interval", str(self._interval)] if self._interval != 1 else []
        argv += ["--udp", "--bitrate", self.udp] if self.udp else []
        argv += ["--length", str(self.length)] if self.length else []
        argv += ["--reverse"] if direction == "out" else []
        protocol = "udp" if self.udp else "tcp"
        name = f"iperf3-{protocol}-{direction}"
        read = partial(parse, asked=Asked(protocol.upper(), direction, self.streams, self.seconds))
        return Step(
            name,
            self.tool,
            self.port,
            tuple(argv),
            self.seconds,
            read,
            SETTLE,
            # Beside the streams there is their sum, and beside the intervals the end.
            REPORT_BYTES + INTERVAL_BYTES * (self.streams + 1) * (self._intervals + 1),
        )

    @property
    def _interval(self) -> int:
        """Seconds between the lines of the report; 0: it has one for the whole run."""
        seconds = math.ceil(self.seconds * (self.streams + 1) / _MOST_LINES)
        return seconds if seconds <= _LONGEST_INTERVAL else 0

    @property
    def _intervals(self) -> int:
        return math.ceil(self.seconds / (self._interval or self.seconds))


@dataclass(frozen=True)
class Asked:
    """What a run was asked for; `seconds` is its length."""

    protocol: str  # "TCP" | "UDP"
    direction: str  # "in" | "out"
    streams: int
    seconds: float


def parse(out: str, err: str = "", asked: Asked | None = None) -> Measured:
    """Read what `iperf3 --json` printed, of a run that was `asked` for.

    For TCP `tcp_in` or `tcp_out` in bit/s, as the receiver counted, and where the sender tells
    it `…_retransmits` in segments; for UDP `udp_in` or `udp_out`, `…_lost` in %, `…_jitter`
    in s and `…_rate` in packets/s. `…_cpu_instance` and `…_cpu_client` are in % of one
    processor. What OSv does not count is left out: its retransmits and the processor time of
    its program. Raises ProbeError, also for a result that contradicts itself.
    """
    if not out.strip():
        raise ProbeError(f"iperf3 printed no result: {quote(err)}")
    document = json_document("iperf3", out, _unambiguous)
    if isinstance(document, dict) and "error" in document:
        raise ProbeError(f"iperf3 says {quote(str(document['error']))}")
    test = _object(document, "start", "test_start")
    protocol, reverse = _get(test, "protocol"), _get(test, "reverse")
    if protocol not in ("TCP", "UDP") or reverse not in (0, 1) or test.get("bidir"):
        raise ProbeError(f"iperf3 ran a test that was not asked for: {quote(str(test))}")
    ran = Asked(
        protocol,
        "out" if reverse else "in",
        int(_number(test, "num_streams")),
        _number(test, "duration"),
    )
    if asked and ran != asked:
        raise ProbeError(f"iperf3 ran a test that was not asked for: {ran}, not {asked}")
    version = str(_get(document, "start", "version")).removeprefix("iperf ")
    end = _object(document, "end")
    prefix = f"{protocol.lower()}_{ran.direction}"
    if protocol == "TCP":
        found = _tcp(end, ran)
        _check_intervals(_get(document, "intervals"))
    else:
        found = _udp(end, ran, version, _number(test, "blksize"))
    found |= _processors(end, ran)
    return Measured({prefix + suffix: metric for suffix, metric in found.items()}, version)


def _tcp(end: dict[str, Any], ran: Asked) -> dict[str, Metric]:
    received, sent = _object(end, "sum_received"), _object(end, "sum_sent")
    found = {"": _rate(received, ran)}
    _rate(sent, ran)
    sent_bytes = _number(sent, "bytes")
    invariants.received(
        "iperf3", "bytes", _number(received, "bytes"), sent_bytes, invariants.COUNTED_TWICE
    )
    # Always the sender's. OSv answers TCP_INFO with FreeBSD's structure, where the send window
    # stands in place of Linux's count; the name of its congestion control tells it.
    if "retransmits" in sent and end.get("sender_tcp_congestion") != "newreno":
        retransmits = finite(sent["retransmits"], "retransmits")
        invariants.count("iperf3", "retransmits", retransmits)
        invariants.at_most("iperf3", "retransmits", retransmits, sent_bytes)
        found["_retransmits"] = Metric(retransmits, "segments", "less")
    return found


def _udp(end: dict[str, Any], ran: Asked, version: str, packet_size: float) -> dict[str, Metric]:
    if "sum_received" not in end and "sum" in end:
        raise ProbeError(
            f"iperf3 {version} reports UDP as the sender sees it only",
            hint="use iperf3 3.11 or newer",
        )
    received = _object(end, "sum_received")
    # The receiver's count goes up to the last packet that it saw, lost ones included.
    packets, lost = _number(received, "packets"), _number(received, "lost_packets")
    rate, seconds = _rate(received, ran), _number(received, "seconds")
    if not 0 <= lost <= packets or packets == 0:
        raise ProbeError(f"iperf3 counts {lost:g} of {packets:g} packets lost")
    _check_packets(end, packets, lost, packet_size)
    jitter = _number(received, "jitter_ms") / 1e3
    invariants.at_most("iperf3", "a jitter in s", jitter, seconds)
    return {
        "": rate,
        "_lost": Metric(100 * lost / packets, "%", "less"),
        "_jitter": Metric(jitter, "s", "less"),
        "_rate": Metric((packets - lost) / seconds, "packets/s", "more"),
    }


def _check_packets(end: dict[str, Any], packets: float, lost: float, packet_size: float) -> None:
    """Packets, lost ones, bytes and what the sender sent have to agree."""
    received = _object(end, "sum_received")
    for what, value in (("packets", packets), ("lost packets", lost)):
        invariants.count("iperf3", what, value)
    if "lost_percent" in received:
        percent = _number(received, "lost_percent")
        if abs(percent - 100 * lost / packets) > 1:
            raise ProbeError(
                f"iperf3 contradicts itself: {percent:g} % lost, "
                f"but {lost:g} of {packets:g} packets"
            )
    size, expected = _number(received, "bytes"), (packets - lost) * packet_size
    if abs(size - expected) > 0.01 * expected + packet_size:
        raise ProbeError(
            f"iperf3 contradicts itself: {size:g} bytes in {packets - lost:g} packets "
            f"of {packet_size:g} bytes"
        )
    sent = _object(end, "sum_sent")
    # A sender of 3.12 that reports to a client of 3.18 leaves its packets at 0.
    if sent_packets := _number(sent, "packets"):
        invariants.received("iperf3", "packets", packets, sent_packets)
    invariants.received("iperf3", "bytes", size, _number(sent, "bytes"), invariants.COUNTED_TWICE)


def _check_intervals(intervals: Any) -> None:
    """A TCP test that carried nothing for a whole interval had a connection that hung."""
    if not isinstance(intervals, list):
        raise ProbeError(f"iperf3's intervals are not a list: {quote(str(intervals))}")
    for interval in intervals:
        total = _object(interval, "sum")
        # The last one may be as short as a millisecond.
        if _number(total, "seconds") >= 0.5 and _number(total, "bytes") <= 0:
            raise ProbeError(
                f"iperf3 carried nothing from {_number(total, 'start'):.1f} to "
                f"{_number(total, 'end'):.1f} s"
            )


def _processors(end: dict[str, Any], ran: Asked) -> dict[str, Metric]:
    use = _object(end, "cpu_utilization_percent")
    found = {"instance": _number(use, "remote_total"), "client": _number(use, "host_total")}
    # One thread a stream, one that reports, and something for a clock that is coarse.
    limit = 100 * (ran.streams + 2)
    if found["instance"] > limit:  # OSv does not count the processor time of programs
        del found["instance"]
    for value in found.values():
        invariants.at_most("iperf3", "a processor time in %", value, limit)
    return {f"_cpu_{where}": Metric(value, "%", "less") for where, value in found.items()}


def _rate(total: dict[str, Any], ran: Asked) -> Metric:
    size, seconds = _number(total, "bytes"), _number(total, "seconds")
    if size <= 0:
        raise ProbeError("iperf3 received nothing")
    rate = _number(total, "bits_per_second")
    invariants.duration("iperf3", seconds, ran.seconds)
    invariants.rate("iperf3", rate, 8 * size, seconds)
    return Metric(rate, "bit/s", "more")


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
