"""wrk's text becomes metrics; a run with failed requests does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import ProbeError
from nitro.probe.result import Metric
from nitro.probe.tools.http import Http, parse
from tests.unit.probe.recorded import recorded

FOLDER = "wrk-4.1.0"


def test_rate_and_latencies():
    metrics = parse(recorded(f"{FOLDER}/ok.txt")).metrics
    assert metrics.pop("http") == Metric(59083.39, "requests/s", "more")
    assert {metric.unit for metric in metrics.values()} == {"s"}
    assert {name: metric.value for name, metric in metrics.items()} == pytest.approx(
        {
            "http_p50": 46e-6,
            "http_p75": 69e-6,
            "http_p90": 103e-6,
            "http_p99": 1.38e-3,
            "http_mean": 90.8e-6,
            "http_max": 3.99e-3,
        }
    )


def test_redirects_count_as_answers():
    # wrk counts a status as an error from 400 on: docs/probes.md says so.
    assert parse(recorded(f"{FOLDER}/moved.txt")).metrics["http"].value == 51143.67


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "of 62478 HTTP requests 62478 were answered with an error status"),
        ("half", "of 59300 HTTP requests 29649 were answered with an error status"),
        ("reset", "of 51556 HTTP requests 1050 had a read error"),
        ("slow", "no HTTP request was answered"),
    ],
)
def test_failed_requests_fail_the_probe(name, says):
    with pytest.raises(ProbeError, match=says):
        parse(recorded(f"{FOLDER}/{name}.txt"))


def test_refusal_is_told_in_the_tools_words():
    with pytest.raises(ProbeError, match=r"unable to connect to 127\.0\.0\.1:1 Connection refused"):
        parse("", recorded(f"{FOLDER}/refused.err"))


@pytest.mark.parametrize(
    "line", ["Latency  ", "90%", "requests in", "Requests/sec", "Transfer/sec"]
)
def test_every_line_must_be_there(line):
    lines = recorded(f"{FOLDER}/ok.txt").splitlines(keepends=True)
    left = [text for text in lines if line not in text]
    assert len(left) == len(lines) - 1
    with pytest.raises(ProbeError, match="no complete result"):
        parse("".join(left))


def test_units_of_time():
    text = recorded(f"{FOLDER}/ok.txt").replace("1.38ms", "2.00s").replace("3.99ms", "1.50m")
    text = text.replace("64972 requests in 1.10s", "10635010 requests in 3.00m")
    metrics = parse(text).metrics
    assert metrics["http_max"].value == 90.0
    assert metrics["http_p99"].value == 2.0


@given(st.text())
def test_arbitrary_text_is_never_a_measurement(text):
    with pytest.raises(ProbeError):
        parse(text)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_result_is_refused(part):
    text = recorded(f"{FOLDER}/ok.txt")
    with pytest.raises(ProbeError):
        parse(text[: int(len(text) * part)])


@given(st.integers(0, 600), st.text(max_size=5))
def test_a_changed_result_gives_a_result_or_a_probe_error(at, change):
    text = recorded(f"{FOLDER}/reset.txt")
    try:
        metrics = parse(text[:at] + change + text[at:]).metrics
    except ProbeError:
        return
    assert all(abs(metric.value) < float("inf") for metric in metrics.values())


def test_the_command():
    [step] = Http(port=8080, path="/a b".replace(" ", "'")).steps("10.0.0.9")
    assert step.argv[-1] == "http://10.0.0.9:8080/a'b"
    assert step.command.startswith("wrk --latency -t 1 -c 8 -d 3s --timeout 2s 'http://")
    [step] = Http().steps("2001:db8::9")
    assert step.argv[-1] == "http://[2001:db8::9]:80/"
