"""What is run and waited for, step by step, and what comes of it."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.errors import NitroError, ProbeError
from nitro.probe import boot, host, spec
from nitro.probe.plan import ProbePlan, build
from nitro.probe.prober import ToolProber
from nitro.probe.result import Measured, Metric, Result
from nitro.probe.step import Step, StepOutput, evaluate
from nitro.probe.tools.iperf3 import Iperf3
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def told(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """What the call returns, or its error."""
    try:
        return repr(function(*args, **options))
    except NitroError as error:
        return f"{type(error).__name__} {error.what}" + (f"; {error.hint}" if error.hint else "")


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
