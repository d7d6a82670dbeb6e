"""Plans: lines for the client's runner, deadlines, and results from outputs."""

import gzip

import pytest

from nitro.errors import InputError
from nitro.ports import Port
from nitro.probe import defaults
from nitro.probe.console_result import CAPACITY
from nitro.probe.plan import READY_WITHIN, SEND_WITHIN, build
from nitro.probe.step import SLACK, StepOutput
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import SETTLE, Iperf3
from nitro.probe.tools.netperf import Netperf
from tests.unit.probe.recorded import recorded

BENCH = [Iperf3(), Netperf(), Http()]


def test_lines_have_a_name_a_deadline_and_a_command():
    lines = build(BENCH, "10.0.0.9").text().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["wait", "180"],
        ["iperf3-tcp-in", "19"],
        ["iperf3-tcp-out", "19"],
        ["netperf-tcp-stream", "17"],
        ["netperf-tcp-rr", "17"],
        ["http", "18"],
    ]
    assert "for port in 80 5201 12865; do until nc -w 1 10.0.0.9 $port -e true;" in lines[0]
    assert lines[2].startswith("iperf3-tcp-out 19 sleep 0.5; exec iperf3 --json --client 10.0.0.9 ")
    assert lines[5] == (
        "http 18 exec wrk --latency -t 1 -c 8 -d 3s --timeout 2s http://10.0.0.9:80/"
    )


def test_the_deadline_covers_everything():
    plan = build(BENCH, "10.0.0.9")
    assert plan.deadline == READY_WITHIN + 13 + 2 * SETTLE + 5 * SLACK + SEND_WITHIN


def test_nothing_to_measure_is_an_empty_plan():
    assert build([], "10.0.0.9").text() == ""


def test_a_probe_asked_for_twice_has_two_names():
    plan = build([Http(), Http(port=8080), Http(port=8000)], "10.0.0.9")
    assert [step.name for step in plan.steps] == ["http", "http-2", "http-3"]


@pytest.mark.parametrize("target", ["", "-x", "10.0.0.9; reboot", "a b", "$(id)", "a\nb"])
def test_a_target_that_is_no_address_is_refused(target):
    with pytest.raises(InputError, match="not an address"):
        build(BENCH, target)


def test_results_come_in_the_plans_order_and_missing_ones_failed():
    plan = build([Http(seconds=1), Iperf3(direction="in"), Http(port=8080)], "10.0.0.9")
    outputs = {
        "iperf3-tcp-in": StepOutput(recorded("iperf3-3.12/busy.json"), "", 1000.0, 0.3),
        "http": StepOutput(recorded("wrk-4.1.0/ok.txt"), "", 1001.0, 3.1),
    }
    http, iperf3, missing = plan.results(outputs)
    assert http.ok
    assert http.metrics["http"].value == 59083.39
    assert (http.started, http.seconds) == (1001.0, 3.1)
    assert http.command == plan.steps[0].command
    assert not iperf3.ok
    assert iperf3.error is not None
    assert "iperf3-tcp-in: iperf3 says 'the server is busy" in iperf3.error
    assert "the server is busy" in iperf3.raw
    assert iperf3.metrics == {}
    assert missing.error == "http-2: did not run"
    assert (missing.tool, missing.name) == ("http", "http-2")


def test_a_tool_that_was_stopped_says_so():
    [step] = build([Http()], "10.0.0.9").steps
    [result] = build([Http()], "10.0.0.9").results({"http": StepOutput("", "", 0.0, step.deadline)})
    assert result.error is not None
    assert result.error.startswith("http: stopped at its deadline of 18 s; wrk printed no complete")


def test_raw_output_has_both_streams():
    [result] = build([Http()], "10.0.0.9").results({"http": StepOutput("out\n", "err\n", 0.0, 1.0)})
    assert result.raw == "out\nerr"


def test_what_is_measured_by_default_fits_on_a_console():
    probes = defaults([Port("tcp", number) for number in (5201, 12865, 80)])
    assert 0 < probes.plan("10.0.0.9").output_bytes < CAPACITY


def test_long_reports_of_many_streams_do_not():
    assert build([Iperf3(seconds=60, streams=2)], "10.0.0.9").output_bytes > CAPACITY
    assert build([Iperf3(seconds=3, streams=128)], "10.0.0.9").output_bytes > CAPACITY
    assert build([Iperf3(seconds=10, streams=4)], "10.0.0.9").output_bytes < CAPACITY


@pytest.mark.parametrize(
    ("name", "streams"), [("tcp-in", 1), ("tcp-in-4", 4), ("tcp-out-4", 4), ("udp-in-4", 4)]
)
def test_a_real_report_takes_less_than_is_assumed(name, streams):
    [step] = Iperf3(seconds=1, streams=streams, direction="in").steps("10.0.0.9")
    assert len(gzip.compress(recorded(f"iperf3-3.18/{name}.json").encode())) < step.output_bytes / 2
