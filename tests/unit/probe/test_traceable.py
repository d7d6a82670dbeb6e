"""Every figure of a record can be traced to a field of the output that the record keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nitro.errors import ProbeError
from nitro.probe.result import Measured
from nitro.probe.step import Step, StepOutput, evaluate
from nitro.probe.tools import http, iperf3, netperf
from tests.unit.probe.recorded import DATA, recorded

# Which test of netperf each recording is of.
NETPERF = {
    "tcp-crr": "crr",
    "tcp-maerts": "out",
    "tcp-maerts-1400": "out",
    "tcp-rr": "rr",
    "tcp-rr-64": "rr",
    "tcp-stream": "in",
    "tcp-stream-1400": "in",
    "udp-rr": "udp-rr",
    "unknown-key": "rr",
}
# What is no measurement, and has to be told as such.
FAILED = {
    "busy",
    "half",
    "misdirected",
    "missing",
    "refused",
    "reset",
    "server-killed",
    "server-killed-out",
    "slow",
    "tcp-both",
    "terminated",
}
#: 3.9 prints what the sender saw only.
TOO_OLD = {"iperf3-3.9/udp-in.json", "iperf3-3.9/udp-out.json"}

ALL = sorted(
    str(path.relative_to(DATA)) for path in DATA.rglob("*.*") if path.suffix in (".json", ".txt")
)
GOOD = [name for name in ALL if Path(name).stem not in FAILED and name not in TOO_OLD]


def measured(name: str) -> Measured:
    """What a recording says. Raises ProbeError where it is no measurement."""
    text, tool = recorded(name), name.partition("-")[0]
    if tool == "iperf3":
        return iperf3.parse(text)
    if tool == "netperf":
        return netperf.parse(netperf.TESTS[NETPERF.get(Path(name).stem, "rr")], text)
    return http.parse(text)


def traced(name: str, metric: str) -> float:
    """A figure in its unit, from the one field that it has to be of."""
    text, tool = recorded(name), name.partition("-")[0]
    if tool == "iperf3":
        return _of_iperf3(json.loads(text)["end"], metric)
    if tool == "netperf":
        answer = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        key, scale = NETPERF_FIELDS[metric.removeprefix(f"{_test_of(metric)}").lstrip("_")]
        if key == "THROUGHPUT":
            scale = 1e6 if answer["THROUGHPUT_UNITS"] == "10^6bits/s" else 1.0
        if key == "TRANSPORT_RETRANS":  # the sender's
            key = f"{'REMOTE' if answer['DIRECTION'] == 'Receive' else 'LOCAL'}_{key}"
        return float(answer[key]) * scale
    found = re.search(WRK_FIELDS[metric], text, re.MULTILINE)
    assert found
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}[found[2]]


def _of_iperf3(end: dict[str, Any], metric: str) -> float:
    received, processors = end["sum_received"], end["cpu_utilization_percent"]
    match metric.split("_")[2:]:
        case []:
            return float(received["bits_per_second"])
        case ["retransmits"]:
            return float(end["sum_sent"]["retransmits"])
        case ["lost"]:  # lost_percent is of what was sent: some of it may have come later
            return float(100 * received["lost_packets"] / received["packets"])
        case ["jitter"]:
            return float(received["jitter_ms"]) * 1e-3
        case ["rate"]:  # in no field: packets that arrived, by the seconds that it took
            return float((received["packets"] - received["lost_packets"]) / received["seconds"])
        case ["cpu", "instance"]:
            return float(processors["remote_total"])
        case ["cpu", "client"]:
            return float(processors["host_total"])
    raise AssertionError(f"{metric} is of no field")


def _test_of(metric: str) -> str:
    return next(one.metric for one in netperf.TESTS.values() if metric.startswith(one.metric))


NETPERF_FIELDS = {
    "": ("THROUGHPUT", 1.0),
    "retransmits": ("TRANSPORT_RETRANS", 1.0),
    "p50": ("P50_LATENCY", 1e-6),
    "p90": ("P90_LATENCY", 1e-6),
    "p99": ("P99_LATENCY", 1e-6),
    "mean": ("MEAN_LATENCY", 1e-6),
    "max": ("MAX_LATENCY", 1e-6),
}
_TIME = r"([0-9.]+)(us|ms|s)"
WRK_FIELDS = {
    "http": r"^Requests/sec: +([0-9.]+)()$",
    "http_mean": rf"^ +Latency +{_TIME} ",
    "http_max": rf"^ +Latency +\S+ +\S+ +{_TIME} ",
    **{f"http_p{at}": rf"^ +{at}% +{_TIME}$" for at in (50, 75, 90, 99)},
}


@pytest.mark.parametrize(
    ("folder", "metrics"),
    [
        ("iperf3-3.9", "tcp_in tcp_out"),
        ("iperf3-3.12", "tcp_in tcp_out udp_in udp_out"),
        ("iperf3-3.18", "tcp_in tcp_out udp_in udp_out"),
        ("iperf3-mixed", "udp_in udp_out"),
        ("netperf-2.7.1", "tcp_crr tcp_rr tcp_stream_in tcp_stream_out udp_rr"),
        ("wrk-4.1.0", "http"),
    ],
)
def test_there_are_recordings_of_every_version_and_test(folder, metrics):
    names = [name for name in GOOD if name.startswith(f"{folder}/")]
    assert {next(iter(measured(name).metrics)) for name in names} == set(metrics.split())


def test_recordings_of_failures_are_no_measurements():
    for name in sorted(set(ALL) - set(GOOD)):
        with pytest.raises(ProbeError):
            measured(name)


@pytest.mark.parametrize("name", GOOD)
def test_every_figure_is_that_of_its_field(name):
    found = measured(name).metrics
    assert found
    for metric, value in found.items():
        assert value.value == pytest.approx(traced(name, metric), rel=1e-12, abs=1e-15), metric


@pytest.mark.parametrize("name", GOOD)
def test_the_record_keeps_the_output_whole(name):
    step = Step("step", "tool", 80, ("tool",), 1.0, lambda out, err: Measured({}))
    kept = evaluate(step, StepOutput(recorded(name), "", 0.0, 1.0)).raw
    assert kept == recorded(name).rstrip()
