"""Probes as written on the command line."""

import pytest

from nitro.errors import InputError
from nitro.ports import Port
from nitro.probe.boot import Boot
from nitro.probe.http import Http
from nitro.probe.iperf3 import Iperf3
from nitro.probe.netperf import Netperf
from nitro.probe.spec import PROBES, defaults, parse

BENCH = [Port("tcp", number) for number in (5201, 12865, 80)]


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("boot", Boot()),
        ("iperf3", Iperf3()),
        ("iperf3:streams=4,seconds=5", Iperf3(streams=4, seconds=5)),
        ("iperf3:udp=100M,direction=out", Iperf3(udp="100M", direction="out")),
        ("netperf:test=rr", Netperf(test="rr")),
        ("http:port=8080,path=/index.html?a=b", Http(port=8080, path="/index.html?a=b")),
    ],
)
def test_probes(text, probe):
    assert parse(text) == probe


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ping", "no probe is called 'ping'; there are boot, iperf3, netperf, http"),
        ("", "no probe is called ''"),
        ("iperf3:streams", "cannot use 'streams' .* options of iperf3: port=…, seconds=…, streams"),
        ("iperf3:threads=2", "cannot use 'threads=2' in probe 'iperf3:threads=2'"),
        ("iperf3:streams=2,streams=3", "cannot use 'streams=3'"),
        ("iperf3:streams=0", "streams cannot be '0'; .*greater than or equal to 1"),
        ("iperf3:seconds=forever", "seconds cannot be 'forever'; .*integer"),
        ("iperf3:udp=1; reboot", "udp cannot be '1; reboot'"),
        ("netperf:test=crr", "test cannot be 'crr'"),
        ("http:path=/a b", "path cannot be '/a b'"),
        ("http:port=70000", "port cannot be '70000'"),
    ],
)
def test_what_cannot_be_asked_for(text, says):
    with pytest.raises(InputError, match=says):
        parse(text)


def test_defaults_follow_the_open_ports():
    assert defaults(BENCH) == [Boot(), Iperf3(), Netperf(), Http()]
    assert defaults([Port("tcp", 8080), Port("udp", 53), Port("udp", 5201)]) == [
        Boot(),
        Http(port=8080),
    ]
    assert defaults([Port("tcp", 6379)]) == [Boot()]
    assert defaults([]) == [Boot()]


def test_the_defaults_measure_for_at_most_15_seconds():
    steps = [step for probe in defaults(BENCH) for step in probe.steps("10.0.0.9")]
    assert {step.tool for step in steps} == {"iperf3", "netperf", "http"}
    assert sum(step.seconds for step in steps) == 13


def test_every_probe_is_known_by_its_tools_name():
    assert {name: probe.tool for name, probe in PROBES.items()} == {n: n for n in PROBES}
