"""netperf's answers become metrics, or a ProbeError where it ran something else in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import ProbeError
from nitro.probe.result import Metric
from nitro.probe.tools.netperf import TESTS, Netperf, parse
from tests.unit.probe.recorded import recorded

FOLDER = "netperf-2.7.1"


def test_request_response_has_a_rate_and_latencies():
    assert parse(TESTS["rr"], recorded(f"{FOLDER}/tcp-rr.txt")).metrics == {
        "tcp_rr": Metric(17597.52, "transactions/s", "more"),
        "tcp_rr_p50": Metric(55 / 1e6, "s", "less"),
        "tcp_rr_p90": Metric(68 / 1e6, "s", "less"),
        "tcp_rr_p99": Metric(91 / 1e6, "s", "less"),
        "tcp_rr_mean": Metric(56.76 / 1e6, "s", "less"),
        "tcp_rr_max": Metric(2538 / 1e6, "s", "less"),
    }


def test_a_stream_goes_into_the_instance_and_its_reverse_out():
    into = parse(TESTS["in"], recorded(f"{FOLDER}/tcp-stream.txt")).metrics
    assert into == {
        "tcp_stream_in": Metric(24621.06 * 1e6, "bit/s", "more"),
        "tcp_stream_in_retransmits": Metric(0, "segments", "less"),
    }
    out = parse(TESTS["out"], recorded(f"{FOLDER}/tcp-maerts.txt")).metrics
    assert out["tcp_stream_out"] == Metric(25908.30 * 1e6, "bit/s", "more")
    assert out["tcp_stream_out_retransmits"].value == 2


@pytest.mark.parametrize(
    ("test", "file", "metric", "value"),
    [
        ("crr", "tcp-crr", "tcp_crr", 6905.38),
        ("udp-rr", "udp-rr", "udp_rr", 44109.29),
    ],
)
def test_other_transactions_are_told_apart(test, file, metric, value):
    text = recorded(f"{FOLDER}/{file}.txt")
    metrics = parse(TESTS[test], text).metrics
    assert metrics[metric] == Metric(value, "transactions/s", "more")
    assert metrics[f"{metric}_p99"].unit == "s"
    with pytest.raises(ProbeError, match="ran something else than TCP_RR"):
        parse(TESTS["rr"], text)


@pytest.mark.parametrize(
    ("test", "file", "size"),
    [("rr", "tcp-rr-64", 64), ("in", "tcp-stream-1400", 1400), ("out", "tcp-maerts-1400", 1400)],
)
def test_messages_have_the_size_that_was_asked_for(test, file, size):
    text = recorded(f"{FOLDER}/{file}.txt")
    assert TESTS[test].metric in parse(TESTS[test], text, size=size).metrics
    with pytest.raises(ProbeError, match=f"is '{size}', not '9'"):
        parse(TESTS[test], text, size=9)
    [step] = Netperf(test=test, size=9).steps("192.0.2.1")
    with pytest.raises(ProbeError, match=f"is '{size}', not '9'"):
        step.parse(text, "")


def test_unknown_retransmits_are_left_out():
    text = recorded(f"{FOLDER}/tcp-stream.txt").replace("RETRANS=0", "RETRANS=-1")
    assert set(parse(TESTS["in"], text).metrics) == {"tcp_stream_in"}


def test_another_test_than_the_one_asked_for_is_refused():
    with pytest.raises(ProbeError, match=r"DIRECTION is 'Send', not 'Send\|Recv'"):
        parse(TESTS["rr"], recorded(f"{FOLDER}/misdirected.txt"))


def test_another_unit_is_refused():
    text = recorded(f"{FOLDER}/tcp-stream.txt").replace("10^6bits/s", "KBytes/s")
    with pytest.raises(ProbeError, match="THROUGHPUT_UNITS is 'KBytes/s'"):
        parse(TESTS["in"], text)


@pytest.mark.parametrize("key", TESTS["rr"].selectors)
def test_every_number_must_be_there(key):
    lines = recorded(f"{FOLDER}/tcp-rr.txt").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(f"{key}="))
    with pytest.raises(ProbeError, match=f"gives no {key}"):
        parse(TESTS["rr"], text)


def test_a_value_given_twice_is_refused():
    with pytest.raises(ProbeError, match="twice"):
        parse(TESTS["rr"], recorded(f"{FOLDER}/tcp-rr.txt") + "P50_LATENCY=55\n")


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "", "0x10", "12,5", "9" * 400])
def test_what_is_no_number_is_refused(value):
    text = recorded(f"{FOLDER}/tcp-rr.txt").replace("P99_LATENCY=91", f"P99_LATENCY={value}")
    with pytest.raises(ProbeError, match="P99_LATENCY is not a number"):
        parse(TESTS["rr"], text)


def test_nothing_carried_is_a_failure():
    text = recorded(f"{FOLDER}/tcp-rr.txt").replace("=17597.52", "=0.00")
    with pytest.raises(ProbeError, match="carried nothing"):
        parse(TESTS["rr"], text)


def test_failures_are_told_in_the_tools_words():
    with pytest.raises(ProbeError, match="could not establish the control connection"):
        parse(TESTS["rr"], recorded(f"{FOLDER}/refused.txt"))
    out, err = (recorded(f"{FOLDER}/server-killed.{end}") for end in ("txt", "err"))
    with pytest.raises(ProbeError, match="partial response received"):
        parse(TESTS["rr"], out, err)
    with pytest.raises(ProbeError, match="gives no"):
        parse(TESTS["rr"], "")


@given(st.text(), st.sampled_from(list(TESTS)))
def test_arbitrary_text_is_never_a_measurement(text, test):
    with pytest.raises(ProbeError):
        parse(TESTS[test], text)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_answer_is_refused(part):
    text = recorded(f"{FOLDER}/tcp-rr.txt")
    with pytest.raises(ProbeError):
        parse(TESTS["rr"], text[: int(len(text) * part)])


@given(st.data())
def test_any_value_gives_a_result_or_a_probe_error(data):
    lines = recorded(f"{FOLDER}/tcp-rr.txt").splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = lines[at].partition("=")[0] + "=" + data.draw(st.text())
    try:
        metrics = parse(TESTS["rr"], "\n".join(lines) + "\n").metrics
    except ProbeError:
        return
    assert all(abs(metric.value) < float("inf") for metric in metrics.values())


def test_the_command_asks_for_every_number_and_one_data_port():
    stream, rr = Netperf().steps("10.0.0.9")
    assert (stream.name, rr.name) == ("netperf-tcp-stream", "netperf-tcp-rr")
    assert rr.command == (
        "netperf -H 10.0.0.9 -p 12865 -t TCP_RR -l 2 -- -P ,12866 -r 1,1 -k "
        "PROTOCOL,DIRECTION,THROUGHPUT_UNITS,THROUGHPUT,ELAPSED_TIME,"
        "P50_LATENCY,P90_LATENCY,P99_LATENCY,MEAN_LATENCY,MAX_LATENCY"
    )
    [out] = Netperf(test="out", data_port=4000).steps("10.0.0.9")
    assert out.name == "netperf-tcp-maerts"
    assert "-P ,4000" in out.command
