"""What is run and waited for, step by step, and what comes of it."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.errors import ProbeError
from nitro.probe import boot, host, spec
from nitro.probe.plan import ProbePlan, build
from nitro.probe.prober import ToolProber
from nitro.probe.result import Measured, Metric, Result
from nitro.probe.step import Step, StepOutput, evaluate
from nitro.probe.tools import iperf3
from nitro.probe.tools.iperf3 import Iperf3
from tests.said import told
from tests.transcripts import compare
from tests.unit.probe.recorded import recorded

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def step(name: str = "s", **more: Any) -> Step:
    return Step(
        **{
            **{"name": name, "tool": "tool", "port": 80, "argv": ("tool", "a b"), "seconds": 2.0},
            "parse": lambda out, err: Measured({"m": Metric(float(len(out)), "s", None)}, err),
            **more,
        }
    )


def test_steps_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is run, and how its outputs are taken."""
    text: list[str] = []
    now = iter(x / 1000 for x in itertools.count(5000, 1234))
    endings: dict[str, Any] = {
        "done": SimpleNamespace(stdout=b"out\xff", stderr=b"err\xff"),
        "late": subprocess.TimeoutExpired("tool", 5, output=b"some", stderr=b"more"),
        "silent": subprocess.TimeoutExpired("tool", 5),
        "gone": OSError("no program"),
    }

    def run(argv: tuple[str, ...], **options: Any) -> Any:
        text.append(f"run {argv} {options}")
        ending = endings[argv[1]]
        if isinstance(ending, Exception):
            raise ending
        return ending

    monkeypatch.setattr("nitro.probe.host.subprocess.run", run)
    monkeypatch.setattr("nitro.probe.host.shutil.which", lambda tool: tool != "none")
    monkeypatch.setattr("nitro.probe.host.time.time", lambda: 1e9)
    monkeypatch.setattr("nitro.probe.host.time.monotonic", lambda: next(now))
    monkeypatch.setattr(
        "nitro.probe.host.time.sleep", lambda seconds: text.append(f"sleep {seconds}")
    )
    steps = tuple(
        step(name, argv=("tool", name), settle=float(n), seconds=2.0 + n)
        for n, name in enumerate(endings)
    )
    for result in host.run(ProbePlan("a", steps)):
        text.append(f"{result}")
    missing = tuple(step(argv=(name,)) for name in ("none", "tool", "none"))
    text.append(told(host.check, ProbePlan("a", missing)))
    text.append(told(ToolProber().check, ProbePlan("a", missing)))
    text.append(told(ToolProber().check, ProbePlan("a", missing[1:2])))
    shown: list[str] = []
    stage = SimpleNamespace(
        progress=lambda *args: shown.append(f"progress {args}"),
        status=lambda said: shown.append(f"status {said}"),
    )

    class Stages:
        def stage(self, name: str) -> Any:
            shown.append(f"stage {name}")
            return self

        def __enter__(self) -> Any:
            return stage

        def __exit__(self, *_: object) -> None:
            shown.append("end")

    report: Any = Stages()
    text.append(f"{len(ToolProber().run(ProbePlan('a', steps[:2]), report=report))} {shown}")
    compare(HERE / "table-host.txt", "".join(f"{line}\n" for line in text))


def test_results_of_steps() -> None:
    text = ""

    def fails(_out: str, _err: str) -> Measured:
        raise ProbeError("no result", hint="look")

    for parse in (step().parse, fails):
        one = step(parse=parse, settle=0.5)
        for out, err in (("", ""), ("o\n\n", ""), ("", "e \n"), (" \n", "e"), ("o", "e\n")):
            for seconds in (17.49, 17.5):
                text += f"{evaluate(one, StepOutput(out, err, 5.0, seconds))}\n"
    text += f"{one.deadline} {one.command}\n"
    failed = Result("t", "n", error="e")
    text += f"{failed.ok} {Result('t', 'n').ok} {Result('t', 'n').to_json()}\n"
    compare(HERE / "table-steps.txt", text)


def test_plans_of_few_steps() -> None:
    text = ""
    steps = [step("a", port=90), step("b", seconds=2.2, settle=0.25), step("c", output_bytes=9)]
    for count, read in itertools.product(range(4), (False, True)):
        plan = ProbePlan("10.0.0.9", tuple(steps[:count]), read)
        text += (
            f"{count} {read}: {plan.readings} {plan.deadline} {plan.output_bytes}\n{plan.text()}"
        )
        text += f"{sorted(plan.names)}\n"
        names = [*plan.names]
        for lacking in (None, *sorted(names)):
            outputs = {name: StepOutput(name, "", 0, 1) for name in names if name != lacking}
            text += f"  without {lacking}: {sorted(plan.finished(outputs))}, "
            text += f"{[result.error for result in plan.results(outputs)]}\n"
    for target in ("", "a", "-a", "a-b", "1.2.3.4", "::1", "a b", "a_b", "ä", "a/b", "a\n"):
        text += f"{target!r}: {told(build, [], target)}\n"
    compare(HERE / "table-plans.txt", text)


def test_reports_of_iperf3() -> None:
    """How often a long run reports, and how much."""
    text = ""
    for seconds, streams in itertools.product((1, 2, 9, 10, 599, 600, 601, 3600), (1, 19, 20, 128)):
        [one] = Iperf3(seconds=seconds, streams=streams, direction="in").steps("a")
        text += f"{seconds} s, {streams}: {one.output_bytes} {one.argv[9:]}\n"
    compare(HERE / "table-iperf3.txt", text)


def test_boots_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the console is read, when the port is tried, and when the wait ends."""
    text = ""
    ready = '{"nitro":"ready","uptime":2,"ports":[80]}'
    ended = '{"nitro":"exit","uptime":3,"code":0,"restart":false}'
    address = ("127.0.0.1", 80)
    cases: dict[str, tuple[dict[str, Any], dict[float, str], float]] = {
        "at once": ({"ports": [80]}, {0: ready}, 0),
        "later": ({"ports": [80]}, {1.05: ready}, 0),
        "at the deadline": ({"ports": [80]}, {5: ready}, 0),
        "no ports": ({}, {0: ready}, 0),
        "no ports, too late": ({}, {3: ready}, 0),
        "an address": ({"address": address, "ports": [80]}, {0: ready}, 1.2),
        "an address before": ({"address": address, "ports": [80]}, {2: ready}, 0.3),
        "an address, no ports": ({"address": address}, {0: ready}, 0.3),
        "never": ({"address": address, "ports": [80]}, {0: ready}, 99),
        "ends": ({"ends": True}, {0: ready, 1: f"{ready}\n{ended}"}, 0),
        "a console that is empty again": ({"ports": [80]}, {0: "boot", 1: "", 2: ready}, 0),
        "silent": ({"ports": [80]}, {0: ""}, 0),
    }
    for name, (options, console, answers) in cases.items():
        now, heard = [100.0], list[str]()

        def clock(now: list[float] = now) -> float:
            return round(now[0], 3)

        def sleep(seconds: float, now: list[float] = now) -> None:
            now[0] += seconds

        def read(
            now: list[float] = now, heard: list[str] = heard, console: dict[float, str] = console
        ) -> str:
            heard.append(f"read at {now[0] - 100:.1f}")
            said = [said for at, said in console.items() if at <= round(now[0] - 100, 3)]
            return said[-1] if said else ""

        def connect(
            where: Any, timeout: float, now: list[float] = now, heard: list[str] = heard,
            answers: float = answers,
        ) -> Any:  # fmt: skip
            now[0] += 0.01
            heard.append(f"try at {now[0] - 100:.2f} {where} {timeout}")
            if now[0] - 100 < answers:
                raise ConnectionRefusedError
            return SimpleNamespace(close=lambda: heard.append("close"))

        monkeypatch.setattr("nitro.probe.boot.socket.create_connection", connect)
        watch = boot.Watch(
            read,
            launched=99.5,
            clock=clock,
            sleep=sleep,
            started=1e9,
            **{"address": None, **options},
        )
        found = told(boot.wait, watch, deadline=5)
        tries = [each for each in heard if each.startswith("try")]
        others = [each for each in heard if not each.startswith("try")]
        text += f"{name}: {found}\n  at {now[0] - 100:.2f}; {others}\n  {tries[:3]} {len(tries)}\n"
    compare(HERE / "table-boots.txt", text)


def test_words() -> None:
    text = f"{sorted(spec.known_probes())}\n"
    for words in (
        [],
        ["boot"],
        ["boot:seconds=1"],
        ["boot:"],
        ["boot:seconds=3601"],
        ["http:port=1,connections=10000,timeout=3600", "http:seconds=1"],
        ["http:port=0"],
        ["http:port=65535"],
        ["http:port=65536"],
        ["http:timeout=0"],
        ["http:connections=10001"],
        ["http:path=/a b"],
        ["http:=1"],
        ["http:port="],
        ["http:port=1,"],
        ["iperf3:udp=999999999999G,length=16"],
        ["iperf3:udp=1000000000000"],
        ["iperf3:length=1048576"],
        ["iperf3:length=1048577"],
        ["netperf:data_port=65536"],
        ["netperf:size=1048576,test=out"],
        ["at-mtu"],
        ["boot", "http", "boot:seconds=9"],
        [":x"],
    ):
        text += f"{words}: {told(spec.parse, words)}\n"
    compare(HERE / "table-words.txt", text)


def test_reports_of_iperf3_over_udp() -> None:
    """At and beside what packets, bytes and shares may differ by."""
    text = ""
    document = json.loads(recorded("iperf3-3.12/udp-out-lossy.json"))
    size = document["start"]["test_start"]["blksize"]
    received, sent = (document["end"][name] for name in ("sum_received", "sum_sent"))
    seconds = received["seconds"]

    def told_of(packets: float, lost: float, **more: Any) -> str:
        carried = more.pop("bytes", (packets - lost) * size)
        received.update(packets=packets, lost_packets=lost, bytes=carried)
        received.update(lost_percent=100 * lost / packets if packets else 0)
        received.update(bits_per_second=8 * carried / seconds, jitter_ms=1.0)
        sent.update(packets=1000, bytes=1000 * size, bits_per_second=8000 * size / seconds)
        for name, value in more.items():
            side, _, key = name.partition("_")
            {"received": received, "sent": sent}[side][key] = value
        found = told(iperf3.parse, json.dumps(document))
        return f"{packets} {lost} {more}: {found[:330]}\n"

    for packets, lost in (
        *((1000, 0), (1000, 1), (1000, 500), (1000, 999), (1000, 1000), (1000, 1001), (1000, -1)),
        *((0, 0), (1001, 0), (999, 0), (1000, 0.5), (1, 0), (1, 1)),
    ):
        text += told_of(packets, lost)
    for packets, lost in ((1000, 1000), (1000, 1001)):
        text += told_of(packets, lost, bytes=size)
    for off in (-1.01, -1, -0.99, 0.99, 1, 1.01):
        text += told_of(1000, 500, received_lost_percent=50 + off)
    for many in (0.0, 0.009, 0.01, 0.011):
        for sign in (1, -1):
            expected = 500 * size
            text += told_of(1000, 500, bytes=expected + sign * (many * expected + size))
            text += told_of(1000, 500, bytes=expected + sign * (many * expected))
    for packets in (0, 999, 1000):
        text += told_of(1000, 500, sent_packets=packets)
    for jitter in (-1, 0, 1000 * seconds, 1000 * seconds + 1):
        text += told_of(1000, 500, received_jitter_ms=jitter)
    for carried in (500 * size, 500 * size / 1.05, 500 * size / 1.06):
        text += told_of(1000, 500, sent_bytes=carried, sent_bits_per_second=8 * carried / seconds)
    compare(HERE / "table-iperf3-udp.txt", text)


def test_reports_of_iperf3_over_tcp() -> None:
    text = ""
    whole = json.loads(recorded("iperf3-3.18/tcp-in.json"))
    sent_bytes = whole["end"]["sum_sent"]["bytes"]

    def told_of(what: str, change: Callable[[Any], None]) -> str:
        document = copy.deepcopy(whole)
        change(document)
        return f"{what}: {told(iperf3.parse, json.dumps(document))[:400]}\n"

    for retransmits in (-1, 0, 0.5, 1, sent_bytes, sent_bytes + 1, "x"):
        for congestion in ("cubic", "newreno", None):

            def retry(d: Any, r: Any = retransmits, c: Any = congestion) -> None:
                d["end"]["sum_sent"]["retransmits"] = r
                d["end"]["sender_tcp_congestion"] = c

            text += told_of(f"{retransmits} {congestion}", retry)
    for total in (-1, 0, 99, 100, 101, 12800, 100_000):
        for side in ("host", "remote"):

            def busy(d: Any, t: Any = total, s: str = side) -> None:
                d["end"]["cpu_utilization_percent"][f"{s}_total"] = t

            text += told_of(f"{side} {total}", busy)
    for name, value in (
        *(("bidir", 1), ("bidir", 0), ("reverse", 2), ("reverse", 1), ("protocol", "SCTP")),
        *(("num_streams", 0), ("duration", 0), ("protocol", None)),
    ):

        def asked(d: Any, n: str = name, v: Any = value) -> None:
            d["start"]["test_start"][n] = v

        text += told_of(f"{name} {value}", asked)
    for carried in (0, 1):
        for seconds in (0.0, 0.4, 0.5, 0.6, 1.0):

            def hung(d: Any, b: int = carried, s: float = seconds) -> None:
                d["intervals"][0]["sum"].update(bytes=b, seconds=s, end=s, start=0)

            text += told_of(f"interval of {seconds} s with {carried}", hung)
    compare(HERE / "table-iperf3-tcp.txt", text)
