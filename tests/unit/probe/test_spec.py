"""Probes as written on the command line."""

import sys

import pytest

from nitro.errors import InputError
from nitro.ports import Port
from nitro.probe import tools
from nitro.probe.boot import Boot
from nitro.probe.spec import Selection, defaults, known_probes, parse
from nitro.probe.step import StepOutput
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.probe.tools.netperf import Netperf

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
def test_one_word(text, probe):
    selection = parse([text])
    assert [selection.boot or selection.probes[0], len(selection.probes)] == [
        probe,
        0 if text == "boot" else 1,
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ping", "no probe is called 'ping'; there are boot, http, iperf3, netperf"),
        ("", "no probe is called ''"),
        ("iperf3:streams", "cannot use 'streams' .* options of iperf3: port=…, seconds=…, streams"),
        ("iperf3:threads=2", "cannot use 'threads=2' in probe 'iperf3:threads=2'"),
        ("iperf3:streams=2,streams=3", "cannot use 'streams=3'"),
        ("iperf3:streams=0", "streams cannot be '0'; .*greater than or equal to 1"),
        ("iperf3:seconds=forever", "seconds cannot be 'forever'; .*integer"),
        ("iperf3:udp=1; reboot", "udp cannot be '1; reboot'"),
        ("netperf:test=omni", "test cannot be 'omni'"),
        ("http:path=/a b", "path cannot be '/a b'"),
        ("http:port=70000", "port cannot be '70000'"),
    ],
)
def test_what_cannot_be_asked_for(text, says):
    with pytest.raises(InputError, match=says):
        parse([text])


def test_several_words_keep_their_order_and_may_repeat():
    assert parse(["http:port=81", "boot:seconds=9", "http"]) == Selection(
        Boot(seconds=9), (Http(port=81), Http())
    )
    assert parse([]) == Selection()


def test_an_instance_boots_once():
    with pytest.raises(InputError, match="boot is given twice"):
        parse(["boot", "boot:seconds=9"])


def test_defaults_follow_the_open_ports():
    assert defaults(BENCH) == Selection(Boot(), (Http(), Iperf3(), Netperf()))
    assert defaults([Port("tcp", 8000), Port("tcp", 8080), Port("udp", 5201)]) == Selection(
        Boot(), (Http(port=8080),)
    )
    assert defaults([Port("tcp", 6379)]) == Selection(Boot())
    assert defaults([]) == Selection(Boot())


def test_the_defaults_measure_for_at_most_15_seconds():
    steps = defaults(BENCH).plan("10.0.0.9").steps
    assert {step.tool for step in steps} == {"iperf3", "netperf", "http"}
    assert sum(step.seconds for step in steps) == 13


ONE_MORE_PROBE = """
from typing import ClassVar

from nitro.probe.base import Probe
from nitro.probe.result import Measured, Metric
from nitro.probe.step import Step


class Uptime(Probe):
    tool: ClassVar[str] = "uptime"
    port: int = 7

    @classmethod
    def default_for(cls, tcp_ports):
        return cls() if 7 in tcp_ports else None

    def steps(self, target):
        return [Step("uptime", self.tool, self.port, ("ask", target), 1, parse)]


def parse(out, err):
    return Measured({"uptime": Metric(float(out), "s", "more")})
"""


def test_a_probe_is_one_file_that_nothing_else_names(tmp_path, monkeypatch):
    (tmp_path / "one_more.py").write_text(ONE_MORE_PROBE)
    monkeypatch.setattr(tools, "__path__", [*tools.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    assert list(known_probes()) == ["http", "iperf3", "netperf", "uptime"]
    assert defaults([Port("tcp", 7)]).probes == parse(["uptime:port=7"]).probes
    plan = parse(["uptime"]).plan("10.0.0.9")
    [result] = plan.results({"uptime": StepOutput("12.5", "", 0.0, 1.0)})
    assert result.to_json()["metrics"] == {"uptime": {"value": 12.5, "unit": "s", "better": "more"}}


@pytest.mark.parametrize(
    ("option", "first", "last"),
    [
        ("iperf3:port", 1, 65535),
        ("iperf3:seconds", 1, 3600),
        ("iperf3:streams", 1, 128),  # iperf3's own limit
        ("iperf3:length", 16, 1 << 20),
        ("iperf3:udp", 1, 999_999_999_999),
        ("netperf:size", 1, 1 << 20),
        ("http:connections", 1, 10_000),
        ("http:port", 1, 65535),
    ],
)
def test_an_option_reaches_from_its_first_to_its_last_value(option, first, last):
    """docs/probes.md has the table; what lies beyond would fail in the instance, minutes later."""
    for value in (first, last):
        [probe] = parse([f"{option}={value}"]).probes
        assert str(getattr(probe, option.partition(":")[2])) == str(value)
        assert all(str(value) in step.command for step in probe.steps("10.0.0.9"))
    for value in (first - 1, last + 1):
        with pytest.raises(InputError, match=f"cannot be '{value}'"):
            parse([f"{option}={value}"])


@pytest.mark.parametrize(
    ("ports", "tools"),
    [
        ((), []),
        ((5201,), ["iperf3"]),
        ((12865,), ["netperf"]),
        ((80,), ["http"]),
        ((5200, 5202, 12864, 12866), []),
        ((80, 5201, 12865), ["http", "iperf3", "netperf"]),
    ],
)
def test_what_listens_at_its_own_port_is_measured_unasked(ports, tools):
    found = [probe.tool for probe in defaults([Port("tcp", number) for number in ports]).probes]
    assert sorted(found) == tools
    assert not defaults([Port("udp", number) for number in ports]).probes


@pytest.mark.parametrize("allowances", [True, False])
def test_a_selection_that_asks_for_allowances_has_them_in_its_plan(allowances):
    """Between the steps, the client reads what AWS held back."""
    plan = Selection(None, (Iperf3(),), allowances).plan("10.0.0.9")
    assert plan.allowances == allowances
    assert ("allowances-0" in plan.text()) == allowances
    assert not parse(["iperf3"]).plan("10.0.0.9").allowances
