"""iperf3's JSON, as three versions print it, becomes metrics or a ProbeError."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import ProbeError
from nitro.probe import archive
from nitro.probe.result import Metric
from nitro.probe.step import Step
from nitro.probe.tools.iperf3 import Iperf3, parse
from tests.unit.probe.recorded import recorded
from tests.unit.probe.test_archive import archive as packed


@pytest.mark.parametrize(
    ("version", "bits", "retransmits"),
    [("3.9", 20727169256.594677, 0), ("3.12", None, 4), ("3.18", None, 4)],
)
def test_tcp_in_is_what_the_receiver_counted(version, bits, retransmits):
    text = recorded(f"iperf3-{version}/tcp-in.json")
    received = json.loads(text)["end"]["sum_received"]["bits_per_second"]
    assert bits in (None, received)
    measured = parse(text)
    assert measured.version == version
    assert measured.metrics["tcp_in"] == Metric(received, "bit/s", "more")
    assert measured.metrics["tcp_in_retransmits"] == Metric(retransmits, "segments", "less")


@pytest.mark.parametrize(("version", "retransmits"), [("3.9", 5), ("3.12", 4), ("3.18", 2)])
def test_reverse_is_out_of_the_instance_and_has_the_servers_retransmits(version, retransmits):
    measured = parse(recorded(f"iperf3-{version}/tcp-out.json"))
    assert set(measured.metrics) == {
        "tcp_out",
        "tcp_out_retransmits",
        "tcp_out_cpu_instance",
        "tcp_out_cpu_client",
    }
    assert measured.metrics["tcp_out_retransmits"].value == retransmits


def test_processors_are_told_apart():
    metrics = parse(recorded("iperf3-3.12/tcp-in.json")).metrics
    assert metrics["tcp_in_cpu_client"].value == pytest.approx(99.4, abs=0.1)
    assert metrics["tcp_in_cpu_instance"].value == pytest.approx(43.8, abs=0.1)


@pytest.mark.parametrize("version", ["3.12", "3.18"])
def test_streams_are_summed(version):
    text = recorded(f"iperf3-{version}/tcp-in-4.json")
    streams = json.loads(text)["end"]["streams"]
    assert len(streams) == 4
    total = sum(stream["receiver"]["bits_per_second"] for stream in streams)
    assert parse(text).metrics["tcp_in"].value == pytest.approx(total, rel=0.01)


def test_udp_loss_and_rate_are_the_receivers():
    metrics = parse(recorded("iperf3-3.12/udp-in-lossy.json")).metrics
    assert metrics["udp_in"].value == pytest.approx(2.937e9, rel=0.001)
    assert metrics["udp_in_lost"].value == pytest.approx(100 * 33436 / 295700)
    assert metrics["udp_in_rate"].value == pytest.approx((295700 - 33436) / 1.000126)
    assert metrics["udp_in_jitter"] == Metric(0.00194901432799132 / 1000, "s", "less")


@pytest.mark.parametrize(
    "name", ["3.12-to-3.18-udp-in", "3.18-to-3.12-udp-in", "3.18-to-3.12-udp-out"]
)
def test_versions_may_differ_between_client_and_server(name):
    # 3.18 shows 0 packets sent where the server is 3.12; the receiver's count stands.
    metrics = parse(recorded(f"iperf3-mixed/{name}.json")).metrics
    prefix = "udp_in" if name.endswith("in") else "udp_out"
    assert metrics[prefix].value == pytest.approx(50e6, rel=0.01)
    assert metrics[f"{prefix}_lost"].value == 0


@pytest.mark.parametrize("name", ["udp-in", "udp-out"])
def test_old_udp_that_only_has_the_senders_view_is_refused(name):
    with pytest.raises(
        ProbeError, match=r"3\.9 reports UDP as the sender sees it only; use iperf3"
    ):
        parse(recorded(f"iperf3-3.9/{name}.json"))


@pytest.mark.parametrize("version", ["3.12", "3.18"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("busy", "the server is busy"),
        ("refused", "Connection refused"),
        ("terminated", "the client has terminated"),
        ("server-killed-out", "control socket has closed unexpectedly"),
    ],
)
def test_failures_are_told_in_the_tools_words(version, name, says):
    with pytest.raises(ProbeError, match=says):
        parse(recorded(f"iperf3-{version}/{name}.json"))


@pytest.mark.parametrize("version", ["3.12", "3.18"])
def test_a_server_that_dies_is_a_failure(version):
    with pytest.raises(ProbeError, match=r"reset by peer|closed unexpectedly"):
        parse(recorded(f"iperf3-{version}/server-killed.json"))


def test_bidirectional_runs_are_refused():
    with pytest.raises(ProbeError, match="sum_sent twice"):
        parse(recorded("iperf3-3.9/tcp-both.json"))
    with pytest.raises(ProbeError, match="sum_received twice"):
        parse('{"end": {"sum_received": {}, "sum_received": {}}}')
    with pytest.raises(ProbeError, match="not asked for"):
        parse(recorded("iperf3-3.18/tcp-both.json"))


def test_silence_quotes_what_came_on_stderr():
    with pytest.raises(ProbeError, match="no result: 'iperf3: parameter error'"):
        parse("", "iperf3: parameter error\n")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("end", "sum_received", "bytes"), 0, "received nothing"),
        (("end", "sum_received", "bits_per_second"), "fast", "bits_per_second is not a number"),
        (("end", "sum_received", "bits_per_second"), float("nan"), "is not a number"),
        (("end", "sum_received", "bits_per_second"), 10**400, "is not a number"),
        (("end", "sum_sent"), None, "sum_sent is not an object"),
        (("end",), {}, "no sum_received"),
        (("start", "test_start", "protocol"), "SCTP", "not asked for"),
    ],
)
def test_a_damaged_result_is_refused(path, value, says):
    document = json.loads(recorded("iperf3-3.18/tcp-in.json"))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ProbeError, match=says):
        parse(json.dumps(document))


def test_more_lost_than_sent_is_refused():
    text = recorded("iperf3-3.12/udp-in-lossy.json")
    with pytest.raises(ProbeError, match="400000 of 295700 packets lost"):
        parse(text.replace('"lost_packets":\t33436', '"lost_packets":\t400000'))


@given(st.text())
def test_arbitrary_text_is_never_a_measurement(text):
    with pytest.raises(ProbeError):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.extended
@given(JSON)
def test_arbitrary_json_is_never_a_measurement(value):
    with pytest.raises(ProbeError):
        parse(json.dumps(value))


@pytest.mark.extended
@given(
    st.sampled_from(["tcp-in", "tcp-out", "udp-in"]),
    st.sampled_from(
        ["start", "end", "sum_sent", "sum_received", "test_start", "reverse", "version"]
    ),
    JSON,
)
def test_any_value_in_any_place_gives_a_result_or_a_probe_error(name, key, value):
    def replace(node):
        if isinstance(node, dict):
            return {k: value if k == key else replace(v) for k, v in node.items()}
        return node

    document = replace(json.loads(recorded(f"iperf3-3.12/{name}.json")))
    try:
        metrics = parse(json.dumps(document)).metrics
    except ProbeError:
        return
    assert all(abs(metric.value) < float("inf") for metric in metrics.values())


@given(st.sampled_from(["tcp-in", "udp-out"]), st.floats(0, 1, exclude_max=True))
def test_a_truncated_result_is_refused(name, part):
    text = recorded(f"iperf3-3.18/{name}.json").rstrip()
    with pytest.raises(ProbeError):
        parse(text[: int(len(text) * part)])


def test_deep_nesting_is_refused():
    with pytest.raises(ProbeError):
        parse("[" * 100_000)


def test_the_commands_ask_for_what_is_parsed():
    into, out = Iperf3(streams=4, seconds=5).steps("10.0.0.9")
    assert (into.name, out.name) == ("iperf3-tcp-in", "iperf3-tcp-out")
    assert out.command == (
        "iperf3 --json --client 10.0.0.9 --port 5201 --connect-timeout 5000 "
        "--time 5 --parallel 4 --reverse"
    )
    assert "--reverse" not in into.argv
    [udp] = Iperf3(udp="100M", direction="in").steps("10.0.0.9")
    assert udp.name == "iperf3-udp-in"
    assert " --udp --bitrate 100M" in udp.command


def changed(name, **values):
    """A recording with other values in its sums, sent and received."""
    document = json.loads(recorded(name))
    for key, value in values.items():
        where, _, key = key.partition("_")
        document["end"][f"sum_{where}"][key] = value
    return document


@pytest.mark.parametrize(("percent", "read"), [(1.0, True), (-1.0, True), (1.1, False)])
def test_the_percentage_of_lost_packets_agrees_with_their_number(percent, read):
    """To one percent: it is of another moment."""
    document = changed("iperf3-3.12/udp-in-lossy.json")
    received = document["end"]["sum_received"]
    received["lost_percent"] = (
        100 * received["lost_packets"] / received["packets"] + percent * 0.999
    )
    if read:
        assert parse(json.dumps(document)).metrics["udp_in_lost"].value == pytest.approx(
            100 * 33436 / 295700
        )
    else:
        with pytest.raises(ProbeError, match=r"iperf3 contradicts itself: .* % lost"):
            parse(json.dumps(document))


@pytest.mark.parametrize(
    ("off", "read"), [(0, True), (0.99, True), (-0.99, True), (1.1, False), (-1.1, False)]
)
def test_the_bytes_are_those_of_the_packets(off, read):
    """To one percent, and the packet that was under way."""
    document = changed("iperf3-3.12/udp-in-lossy.json")
    received, size = document["end"]["sum_received"], document["start"]["test_start"]["blksize"]
    whole = (received["packets"] - received["lost_packets"]) * size
    received["bytes"] = int(whole + off * (0.01 * whole + size))
    received["bits_per_second"] = 8 * received["bytes"] / received["seconds"]
    document["end"]["sum_sent"]["bytes"] = 2 * whole
    document["end"]["sum_sent"]["bits_per_second"] = (
        16 * whole / document["end"]["sum_sent"]["seconds"]
    )
    if read:
        assert "udp_in" in parse(json.dumps(document)).metrics
    else:
        with pytest.raises(ProbeError, match=r"contradicts itself: .* bytes in"):
            parse(json.dumps(document))


@pytest.mark.parametrize(
    ("seconds", "size", "read"),
    [(0.5, 0, False), (0.49, 0, True), (0.5, 1, True), (1.0, 0, False), (1.0, -1, False)],
)
def test_a_whole_interval_without_a_byte_is_a_connection_that_hung(seconds, size, read):
    document = json.loads(recorded("iperf3-3.12/tcp-in.json"))
    document["intervals"][0]["sum"] |= {"seconds": seconds, "bytes": size, "start": 0, "end": 1.5}
    if read:
        assert parse(json.dumps(document))
    else:
        with pytest.raises(ProbeError, match=r"carried nothing from 0\.0 to 1\.5 s"):
            parse(json.dumps(document))


def test_the_send_window_of_osv_is_no_count_of_retransmits():
    document = json.loads(recorded("iperf3-3.18/tcp-out.json"))
    document["end"]["sum_sent"]["retransmits"] = 8192  # what OSv v0.57.0-398 gave
    assert "tcp_out_retransmits" in parse(json.dumps(document)).metrics
    document["end"]["sender_tcp_congestion"] = "newreno"
    assert "tcp_out_retransmits" not in parse(json.dumps(document)).metrics


@pytest.mark.parametrize(
    ("instance", "client", "metrics"),
    [
        (300.0, 300.0, {"tcp_in_cpu_instance", "tcp_in_cpu_client"}),
        (300.1, 300.0, {"tcp_in_cpu_client"}),  # OSv counts none and gives nonsense
        (0.0, 0.0, {"tcp_in_cpu_instance", "tcp_in_cpu_client"}),
        (1.0, 300.1, None),
        (-0.1, 1.0, None),
    ],
)
def test_a_run_of_one_stream_takes_three_processors_at_most(instance, client, metrics):
    document = json.loads(recorded("iperf3-3.12/tcp-in.json"))
    document["end"]["cpu_utilization_percent"] |= {"remote_total": instance, "host_total": client}
    if metrics is None:
        with pytest.raises(ProbeError, match="processor time"):
            parse(json.dumps(document))
    else:
        found = parse(json.dumps(document)).metrics
        assert {name for name in found if "cpu" in name} == metrics


@pytest.mark.parametrize(
    ("lost", "packets", "read"), [(0, 10, True), (11, 10, False), (-1, 10, False), (0, 0, False)]
)
def test_no_more_packets_are_lost_than_there_were(lost, packets, read):
    document = changed("iperf3-3.12/udp-in-lossy.json")
    size = document["start"]["test_start"]["blksize"]
    for where in ("received", "sent"):
        total = document["end"][f"sum_{where}"]
        total |= {"packets": packets, "lost_packets": lost, "bytes": 10 * size, "lost_percent": 0}
        total["bits_per_second"] = 80 * size / total["seconds"]
    if read:
        assert parse(json.dumps(document)).metrics["udp_in_lost"].value == 0
    else:
        with pytest.raises(ProbeError, match="packets lost"):
            parse(json.dumps(document))


@pytest.mark.parametrize("key", ["packets", "lost_packets"])
def test_packets_are_whole(key):
    document = changed("iperf3-3.12/udp-in-lossy.json")
    document["end"]["sum_received"][key] += 0.5
    with pytest.raises(ProbeError, match=r"iperf3 counts [0-9.e+]+ (lost )?packets"):
        parse(json.dumps(document))


def test_options_are_passed_on_and_left_out_when_they_are_not_set():
    [step] = Iperf3(direction="in", length=1400, port=7, seconds=9).steps("10.0.0.9")
    assert step.command.split()[4:] == [
        *("--port", "7", "--connect-timeout", "5000", "--time", "9", "--parallel", "1"),
        *("--length", "1400"),
    ]
    [plain] = Iperf3(direction="in").steps("10.0.0.9")
    assert not {"--length", "--udp", "--bitrate", "--reverse"} & set(plain.argv)
    assert Iperf3(seconds=3, streams=4).steps("x")[0].output_bytes == 2048 + 160 * 5 * 4


def report_of(step: Step, streams: int) -> bytes:
    """As long a report as iperf3 prints for a step, by the length of its lines."""
    options = dict(itertools.pairwise(step.argv))
    seconds, interval = int(options["--time"]), int(options.get("--interval", 1))
    lines = (streams + 1) * math.ceil(seconds / (interval or seconds))
    return bytes(4000 + 1200 * streams + 430 * lines)


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(("seconds", "streams"), [(3600, 128), (3600, 1), (60, 64), (10, 128)])
def test_the_reports_of_all_that_one_client_runs_fit_into_its_archive(seconds, streams):
    steps = Iperf3(seconds=seconds, streams=streams).steps("10.0.0.9") * 20
    files = {
        f"run-{n}.{kind}": report_of(step, streams) if kind == "out" else b"1 2 3\n"
        for n, step in enumerate(steps)
        for kind in ("out", "times")
    }
    assert len(archive.read(packed(files))) == 40


def test_a_run_of_ordinary_length_is_reported_each_second_and_the_longest_as_one():
    commands = [
        Iperf3(seconds=seconds, streams=streams).steps("10.0.0.9")[0].command
        for seconds, streams in ((60, 8), (600, 8), (3600, 128))
    ]
    assert ["--interval" in one for one in commands] == [False, True, True]
    assert commands[1].endswith("--interval 5")
    assert commands[2].endswith("--interval 0")
