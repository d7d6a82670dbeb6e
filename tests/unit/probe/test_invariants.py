"""A result that contradicts itself is refused, whatever the tool's exit code."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from nitro.errors import ProbeError
from nitro.probe import invariants
from nitro.probe.base import Probe
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.probe.tools.netperf import Netperf
from tests.unit.probe.recorded import recorded

TCP = Iperf3(direction="in", seconds=1)
UDP = Iperf3(direction="in", seconds=1, udp="50M")


def read(probe: Probe, out: str) -> dict[str, float]:
    [step] = probe.steps("10.0.0.9")
    return {name: metric.value for name, metric in step.parse(out, "").metrics.items()}


def changed(name: str, changes: dict[str, Any]) -> str:
    """A recording of iperf3's with other values at some paths, such as "end.sum_sent.bytes"."""
    document = json.loads(recorded(name))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = document
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[last] = value
    return json.dumps(document)


def short(seconds: float) -> dict[str, Any]:
    """A run that ended early, with a rate that is true to its bytes."""
    bits = 8 * 2618818560 / seconds
    return {
        f"end.{total}.{key}": value
        for total in ("sum_sent", "sum_received")
        for key, value in (
            ("bytes", 2618818560),
            ("seconds", seconds),
            ("bits_per_second", bits),
        )
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"end.sum_received.bits_per_second": 524e9}, "contradicts itself: a rate of 5.24e+11/s"),
        ({"end.sum_received.bits_per_second": -2.9e6}, "contradicts itself: a rate of -2.9e+06/s"),
        ({"end.sum_received.seconds": -1}, "measured for -1 s"),
        ({"end.sum_sent.bits_per_second": 1e9}, "contradicts itself: a rate of 1e+09/s"),
        (short(0.04), "measured for 0.04 s and was asked for 1 s"),
        (short(60.0), "measured for 60 s and was asked for 1 s"),
        (
            {"end.sum_sent.bytes": 1000, "end.sum_sent.bits_per_second": 8000},
            "received 2.61895e+09 bytes of 1000 that were sent",
        ),
        ({"end.sum_sent.retransmits": -2}, "counts -2 retransmits"),
        ({"end.sum_sent.retransmits": 0.5}, "counts 0.5 retransmits"),
        ({"end.sum_sent.retransmits": 10**12}, "retransmits of 1e+12, which lies outside"),
        ({"end.cpu_utilization_percent.remote_total": -3}, "a processor time in % of -3"),
        ({"end.cpu_utilization_percent.host_total": 40000}, "a processor time in % of 40000"),
        ({"intervals.0.sum.bytes": 0}, "carried nothing from 0.0 to 1.0 s"),
        ({"intervals": 7}, "intervals are not a list"),
        ({"start.test_start.duration": 9}, "was not asked for"),
        ({"start.test_start.num_streams": 2}, "was not asked for"),
        ({"start.test_start.reverse": 1}, "was not asked for"),
    ],
)
def test_iperf3_over_tcp(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProbeError, match=re.escape(says)):
        read(TCP, changed("iperf3-3.18/tcp-in.json", changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"end.sum_received.lost_packets": 400000}, "400000 of 295700 packets lost"),
        ({"end.sum_received.lost_packets": -1}, "-1 of 295700 packets lost"),
        ({"end.sum_received.lost_packets": 33436.5}, "counts 33436.5 lost packets"),
        ({"end.sum_received.lost_percent": 0}, "0 % lost, but 33436 of 295700 packets"),
        ({"start.test_start.blksize": 100}, "bytes in 262264 packets of 100 bytes"),
        ({"end.sum_sent.packets": 100}, "received 295700 packets of 100 that were sent"),
        ({"end.sum_sent.bytes": 100}, "bytes of 100 that were sent"),
        ({"end.sum_received.jitter_ms": -0.1}, "a jitter in s of -0.0001"),
        ({"end.sum_received.jitter_ms": 9000}, "a jitter in s of 9"),
        ({"end.sum_received.bits_per_second": 1}, "a rate of 1/s"),
        ({"end.sum_received.seconds": 0}, "measured for 0 s"),
    ],
)
def test_iperf3_over_udp(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProbeError, match=re.escape(says)):
        read(UDP, changed("iperf3-3.12/udp-in-lossy.json", changes))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("warning: x\n{}", "printed text before its JSON: 'warning: x'"),
        ("{}\niperf3: interrupted", "printed text after its JSON: 'iperf3: interrupted'"),
        ("{}{}", "printed a second JSON document"),
    ],
)
def test_what_is_around_a_document_is_named(text: str, says: str) -> None:
    document = recorded("iperf3-3.18/tcp-in.json").strip()
    with pytest.raises(ProbeError, match=re.escape(says)):
        read(TCP, text.replace("{}", document))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("ELAPSED_TIME=1.00", "ELAPSED_TIME=0.04", "measured for 0.04 s and was asked for 1 s"),
        ("ELAPSED_TIME=1.00", "ELAPSED_TIME=90.00", "measured for 90 s and was asked for 1 s"),
        ("ELAPSED_TIME=1.00", "ELAPSED_TIME=-1.00", "measured for -1 s"),
        ("P50_LATENCY=55", "P50_LATENCY=-1", "a negative p50 of -1e-06 s"),
        ("P50_LATENCY=55", "P50_LATENCY=80", "p50 of 8e-05 s above p90 of 6.8e-05 s"),
        ("P99_LATENCY=91", "P99_LATENCY=9100", "p99 of 0.0091 s above max of 0.002538 s"),
        ("MEAN_LATENCY=56.76", "MEAN_LATENCY=-56.76", "a mean of -5.676e-05 s"),
        ("MEAN_LATENCY=56.76", "MEAN_LATENCY=2600.00", "a mean of 0.0026 s and a maximum of"),
        ("THROUGHPUT=17597.52", "THROUGHPUT=52459000.00", "5.2459e+07 transactions/s one at a"),
        ("THROUGHPUT=17597.52", "THROUGHPUT=-17597.52", "carried nothing"),
    ],
)
def test_netperf_request_response(old: str, new: str, says: str) -> None:
    text = recorded("netperf-2.7.1/tcp-rr.txt")
    assert old in text
    with pytest.raises(ProbeError, match=re.escape(says)):
        read(Netperf(test="rr", seconds=1), text.replace(old, new))


@pytest.mark.parametrize("retransmits", ["-2", "1.5"])
def test_netperf_counts_retransmits(retransmits: str) -> None:
    text = recorded("netperf-2.7.1/tcp-stream.txt")
    with pytest.raises(ProbeError, match=f"counts {retransmits} retransmits"):
        read(
            Netperf(test="in", seconds=1),
            text.replace("RETRANS=0", f"RETRANS={retransmits}"),
        )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Requests/sec:  59083.39", "Requests/sec: 524000.00", "a rate of 524000/s, but 64972 in"),
        ("requests in 1.10s", "requests in 0.04s", "measured for 0.04 s and was asked for 1 s"),
        ("requests in 1.10s", "requests in 1.10m", "measured for 66 s and was asked for 1 s"),
        ("46.00us", "75.00us", "p50 of 7.5e-05 s above p75 of 6.9e-05 s"),
        ("103.00us", "9.00ms", "p90 of 0.009 s above p99 of 0.00138 s"),
        ("1.38ms", "8.00ms", "p99 of 0.008 s above max of 0.00399 s"),
        ("90.80us", "90.80ms", "a mean of 0.0908 s and a maximum of 0.00399 s"),
        ("3.99ms", "3.99s", "a maximum in s of 3.99"),
        ("Running 1s", "warning: x\nRunning 1s", "printed text before its result: 'warning: x'"),
        ("2.48MB\n", "2.48MB\nwrk: interrupted\n", "printed text after its result: 'wrk: inter"),
    ],
)
def test_wrk(old: str, new: str, says: str) -> None:
    text = recorded("wrk-4.1.0/ok.txt")
    assert old in text
    with pytest.raises(ProbeError, match=re.escape(says)):
        read(Http(seconds=1), text.replace(old, new))


def test_wrk_prints_one_result() -> None:
    with pytest.raises(ProbeError, match="twice"):
        read(Http(seconds=1), 2 * recorded("wrk-4.1.0/ok.txt"))


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        (TCP, "iperf3-3.9/tcp-in.json"),
        (TCP, "iperf3-3.12/tcp-in.json"),
        (Iperf3(direction="in", seconds=1, streams=4), "iperf3-3.18/tcp-in-4.json"),
        (Iperf3(direction="out", seconds=1, streams=4), "iperf3-3.12/tcp-out-4.json"),
        (Iperf3(direction="in", seconds=1, streams=4, udp="10M"), "iperf3-3.18/udp-in-4.json"),
        (Iperf3(direction="out", seconds=1, udp="1G"), "iperf3-3.12/udp-out-lossy.json"),
        (Iperf3(direction="out", seconds=1, udp="1G"), "iperf3-3.18/udp-out-lossy.json"),
        (Iperf3(direction="out", seconds=1, udp="1G"), "iperf3-mixed/3.18-to-3.12-udp-out.json"),
        (Netperf(test="out", seconds=1), "netperf-2.7.1/tcp-maerts.txt"),
        (Http(seconds=1), "wrk-4.1.0/moved.txt"),
    ],
)
def test_what_the_real_tools_printed_contradicts_nothing(probe: Probe, name: str) -> None:
    assert read(probe, recorded(name))


@pytest.mark.parametrize("asked", [None, 1.0])
@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_no_measurement(seconds: float, asked: float | None) -> None:
    with pytest.raises(ProbeError, match=rf"wrk measured for {seconds:g} s$"):
        invariants.duration("wrk", seconds, asked)


def test_the_limits_themselves_are_true_measurements() -> None:
    for seconds in (9.0, 17.0):
        invariants.duration("wrk", seconds, 10.0)
    for value in (0.0, 5.0):
        invariants.at_most("wrk", "errors", value, 5.0)
    for value in (-0.1, 5.1):
        with pytest.raises(ProbeError, match="lies outside 0 to 5"):
            invariants.at_most("wrk", "errors", value, 5.0)


def fails(check: Any, *arguments: Any) -> bool:
    try:
        check("tool", *arguments)
    except ProbeError:
        return True
    return False


@pytest.mark.parametrize(
    ("check", "arguments", "wrong"),
    [
        (invariants.duration, (9.0, 10.0), False),  # nine tenths of what was asked
        (invariants.duration, (8.99, 10.0), True),
        (invariants.duration, (17.0, 10.0), False),  # half as long again, and two seconds
        (invariants.duration, (17.01, 10.0), True),
        (invariants.duration, (0.0, None), True),
        (invariants.duration, (0.001, None), False),
        (invariants.rate, (102.0, 100.0, 1.0), False),
        (invariants.rate, (102.1, 100.0, 1.0), True),
        (invariants.rate, (98.0, 100.0, 1.0), False),
        (invariants.rate, (97.9, 100.0, 1.0), True),
        (invariants.rate, (0.0, 0.0, 1.0), True),
        (invariants.at_most, ("a share", 0.0, 1.0), False),
        (invariants.at_most, ("a share", 1.0, 1.0), False),
        (invariants.at_most, ("a share", -0.1, 1.0), True),
        (invariants.at_most, ("a share", 1.1, 1.0), True),
        (invariants.count, ("packets", 0.0), False),
        (invariants.count, ("packets", 0.5), True),
        (invariants.count, ("packets", -1.0), True),
        (invariants.received, ("bytes", 10.0, 10.0), False),
        (invariants.received, ("bytes", 10.1, 10.0), True),
        (invariants.received, ("bytes", 10.5, 10.0, invariants.COUNTED_TWICE), False),
        (invariants.received, ("bytes", 10.6, 10.0, invariants.COUNTED_TWICE), True),
        (invariants.latencies, ({"p50": 1.0, "p99": 1.0, "mean": 1.0, "max": 1.0},), False),
        (invariants.latencies, ({"p50": 0.0, "mean": 0.1, "max": 1.0},), False),
        (invariants.latencies, ({"p50": -1.0, "mean": 0.1, "max": 1.0},), True),
        (invariants.latencies, ({"p50": 1.0, "p99": 0.9, "mean": 1.0, "max": 1.0},), True),
        (invariants.latencies, ({"p50": 1.0, "mean": 1.1, "max": 1.0},), True),
        (invariants.latencies, ({"p50": 0.0, "mean": 0.0, "max": 1.0},), True),
    ],
)
def test_the_bounds_of_what_can_be_true(
    check: Any, arguments: tuple[Any, ...], wrong: bool
) -> None:
    """docs/probes.md states them: a figure at a bound is a measurement, one beyond it is none."""
    assert fails(check, *arguments) == wrong


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: invariants.duration("t", 1.0, 9.0), "t measured for 1 s and was asked for 9 s"),
        (
            lambda: invariants.at_most("t", "a rate", 7, 5),
            "t gives a rate of 7, which lies outside 0 to 5",
        ),
        (lambda: invariants.count("t", "lost", 0.5), "t counts 0.5 lost"),
        (lambda: invariants.received("t", "bytes", 9, 8), "t received 9 bytes of 8 that were sent"),
        (lambda: invariants.rate("t", 5, 9, 1), "a rate of 5/s, but 9 in 1 s"),
    ],
)
def test_a_contradiction_is_told_with_its_figures(check: Any, says: str) -> None:
    with pytest.raises(ProbeError, match=re.escape(says)):
        check()
