"""What the parsers read in the recorded outputs, what they say of damaged ones, and what a plan
asks of a client."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.errors import InputError, ProbeError
from nitro.ports import Port
from nitro.probe import Selection, defaults, parse
from nitro.probe.boot import BootFailed, Watch, wait
from nitro.probe.mtu import AtMtu
from nitro.probe.plan import ANY_ADDRESS
from nitro.probe.result import Measured
from nitro.probe.step import StepOutput
from nitro.probe.tools import http, iperf3, netperf
from tests.transcripts import compare
from tests.unit.probe.recorded import DATA, recorded

HERE = Path(__file__).parent / "transcripts"
Read = Callable[[str], Measured]


def _shown(read: Read, text: str) -> str:
    """The metrics, one a line, or the error."""
    try:
        found = read(text)
    except ProbeError as error:
        return f"  {error}\n" + (f"    {error.hint}\n" if error.hint else "")
    lines = [f"  {found.version}"] if found.version else []
    for name, metric in found.metrics.items():
        lines.append(f"  {name} {metric.value:.9g} {metric.unit}, {metric.better}: {metric}")
    return "".join(f"{line}\n" for line in lines)


_NETPERF = {
    **{"tcp-rr": ("rr", None), "tcp-rr-64": ("rr", 64), "tcp-crr": ("crr", None)},
    **{"udp-rr": ("udp-rr", None), "tcp-stream-1400": ("in", 1400), "tcp-maerts": ("out", None)},
    "tcp-maerts-1400": ("out", 1400),
}


def _netperf(name: str, **more: Any) -> Read:
    test, size = _NETPERF.get(name, ("in", None))
    return partial(netperf.parse, netperf.TESTS[test], size=size, **more)


def test_recordings() -> None:
    parts = []
    for path in sorted(DATA.glob("*/*")):
        name = str(path.relative_to(DATA))
        read: Read = iperf3.parse if name.startswith("iperf3") else http.parse
        if name.startswith("netperf"):
            read = _netperf(path.stem)
        parts.append(f"{name}\n{_shown(read, recorded(name))}")
    compare(HERE / "recordings.txt", "".join(parts))


# Around each limit that a parser has: by so much a number is made larger.
_FACTORS = (0, -1, 0.5, 0.97, 0.985, 1.015, 1.03, 1.06, 3, 1e9)


@pytest.mark.extended
def test_damaged_reports_of_iperf3() -> None:
    parts = []
    for name in ("iperf3-3.18/tcp-in.json", "iperf3-3.12/udp-out-lossy.json"):
        document = json.loads(recorded(name))
        test = document["start"]["test_start"]
        direction = "out" if test["reverse"] else "in"
        asked = iperf3.Asked(test["protocol"], direction, test["num_streams"], test["duration"])
        read = partial(iperf3.parse, asked=asked)
        good = _shown(read, json.dumps(document))
        parts.append(f"---- {name}\n{good}")
        for path in _numbers(document):
            others = {how: json.dumps(other) for how, other in _damaged(document, path)}
            parts += _answers(".".join(path), good, others, read)
    compare(HERE / "damaged-iperf3.txt", "".join(parts))


def _numbers(document: Any) -> Iterator[tuple[str, ...]]:
    """Where the numbers are that are looked at, and what has them."""
    for top in (("start", "test_start"), ("end", "sum_sent"), ("end", "sum_received")):
        yield top
        for name in document[top[0]][top[1]]:
            yield (*top, name)
    for name in document["end"]["cpu_utilization_percent"]:
        yield ("end", "cpu_utilization_percent", name)
    yield from (("end",), ("start",), ("start", "version"), ("intervals",))


def _damaged(document: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The document without a value, and with others in its place."""
    *way, last = path
    for how in ("none", "text", *_FACTORS):
        other = copy.deepcopy(document)
        place = other
        for name in way:
            place = place[name]
        value = place.pop(last)
        if how == "text":
            place[last] = "x"
        elif how != "none":
            if not isinstance(value, int | float):
                return
            changed = value * float(how)
            place[last] = int(changed) if isinstance(value, int) else changed
        yield str(how), other


def _answers(what: str, good: str, others: dict[str, str], read: Read) -> Iterator[str]:
    """What is said otherwise than `good`, like answers once."""
    answers: dict[str, list[str]] = {}
    known = set(good.splitlines())
    for how, other in others.items():
        said = _shown(read, other)
        new = [line for line in said.splitlines() if line not in known]
        if said != good:
            answers.setdefault("\n".join(new) or "  less", []).append(how)
    for said, hows in answers.items():
        yield f"{what}: {', '.join(hows)}\n{said}\n"


def test_damaged_text() -> None:
    parts = []
    reads: dict[str, Read] = {
        "netperf-2.7.1/tcp-rr": _netperf("tcp-rr", seconds=1),
        "netperf-2.7.1/tcp-stream-1400": _netperf("tcp-stream-1400", seconds=1),
        "wrk-4.1.0/ok": partial(http.parse, seconds=1),
    }
    for name, read in reads.items():
        text = recorded(f"{name}.txt")
        good = _shown(read, text)
        parts.append(f"---- {name}\n{good}")
        lines = text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            others = {"none": "", "twice": line * 2, "cut": line[:-2], "text above": f"oh\n{line}"}
            others |= {str(factor): _times(line, float(factor)) for factor in _FACTORS}
            for how, other in others.items():
                others[how] = "".join([*lines[:number], other, *lines[number + 1 :]])
            parts += _answers(line.strip(), good, others, read)
    compare(HERE / "damaged-text.txt", "".join(parts))


def _times(line: str, factor: float) -> str:
    """The line with its last number made larger."""
    words = line.replace("=", "= ").split(" ")
    for at in range(len(words) - 1, -1, -1):
        digits = words[at].strip().rstrip("usmhKMGB%")
        if digits.replace(".", "", 1).isdecimal():
            unit = words[at].strip()[len(digits) :]
            value = (
                f"{float(digits) * factor:.2f}"
                if "." in digits
                else str(int(float(digits) * factor))
            )
            words[at] = value + unit + ("\n" if at == len(words) - 1 else "")
            break
    return " ".join(words).replace("= ", "=")


SELECTIONS = (
    ("iperf3",),
    ("iperf3:streams=4,seconds=5,direction=out,length=1400", "iperf3", "iperf3:direction=in"),
    ("iperf3:udp=100M,streams=128,seconds=3600", "boot:seconds=20"),
    ("iperf3:seconds=10,streams=128,direction=in",),
    ("netperf", "netperf:test=crr,size=64", "netperf:test=out,size=1400,seconds=1,port=1"),
    ("netperf:test=udp-rr", "netperf:test=in,size=1,data_port=7"),
    ("http", "http:connections=64,path=/x?y,port=8080,timeout=9,seconds=7"),
    ("boot", "boot"),
    ("ping",),
    ("iperf3:colour=1",),
    ("iperf3:seconds=1,seconds=2",),
    ("iperf3:seconds",),
    ("boot:port=80",),
    *(
        (f"iperf3:{word}",)
        for word in ("streams=129", "streams=0", "udp=0M", "length=15", "port=0")
    ),
    *((f"http:{word}",) for word in ("connections=0", "path=x", "seconds=3601", "port=65536")),
    *((f"netperf:{word}",) for word in ("size=0", "size=1048577", "test=x", "seconds=0")),
)


def _plan(selection: Selection, target: str) -> str:
    plan = selection.plan(target)
    text = f"  boot {selection.boot.seconds} s\n" if selection.boot else ""
    for step in plan.steps:
        text += f"  {step.name}: port {step.port}, {step.seconds:g} + {step.settle:g} s, at most "
        text += f"{step.deadline:g} s and {step.output_bytes} bytes\n"
    text += f"  at most {plan.deadline:g} s, {plan.output_bytes} bytes, {plan.readings} readings\n"
    return text + "".join(f"  | {line}\n" for line in plan.text().splitlines())


def test_plans() -> None:
    text = ""
    for words in SELECTIONS:
        text += f"{' '.join(words)}\n"
        try:
            selection = parse(words)
            text += _plan(selection, "10.0.0.7")
            selection.require_ports([Port.parse("5201"), Port.parse("udp:80")], "the recipe")
        except InputError as error:
            text += f"  {error.what}\n  {error.hint}\n"
    for target in ("fd00::1", "a-host", "-x", "a b", ""):
        text += f"http to {target!r}\n"
        try:
            text += _plan(parse(["http"]), target)
        except InputError as error:
            text += f"  {error}\n"
    chosen = parse(["netperf", "http"])
    slow = Selection(None, tuple(AtMtu(probe=one, mtu=1500) for one in chosen.probes), True)
    text += f"at an MTU of 1500, with allowances\n{_plan(slow, ANY_ADDRESS)}"
    for ports in ((), ("22",), ("80", "5201"), ("8000", "8080", "12865"), ("udp:5201",)):
        suiting = defaults([Port.parse(port) for port in ports])
        text += f"default of ports {' '.join(ports)}\n{_plan(suiting, ANY_ADDRESS)}"
    compare(HERE / "plans.txt", text)


def test_results_of_a_plan() -> None:
    """Of steps that ran, failed, ran out of time, did not run; with allowances and without."""
    selection = parse(["http:seconds=1", "http:seconds=1", "netperf:seconds=1", "iperf3:seconds=1"])
    slow = Selection(None, selection.probes, allowances=True)
    outputs = {
        "http": StepOutput(recorded("wrk-4.1.0/ok.txt"), "", 1e9, 1.25),
        "http-2": StepOutput("", "unable to connect\n", 1e9 + 2, 0.25),
        "netperf-tcp-stream": StepOutput("THROUGHPUT=1\n", "and\n", 1e9 + 3, 16.0),
        "netperf-tcp-rr": StepOutput(recorded("netperf-2.7.1/tcp-rr.txt"), "", 1e9 + 4, 15.99),
    }
    readings = {
        "0": "server bw_in_allowance_exceeded: 5\nclient pps_allowance_exceeded: 1\nnothing",
        "1": "server bw_in_allowance_exceeded: 9\nclient pps_allowance_exceeded: 1\n",
        "2": "server bw_in_allowance_exceeded: 2\nserver bw_in_allowance_exceeded: 3\n",
        "3": "",
        "5": "client pps_allowance_exceeded: 99999999999999999999\n",
    }
    read = {f"allowances-{n}": StepOutput(text, "", 0.0, 0.0) for n, text in readings.items()}
    text = ""
    for plan, there in ((selection.plan("a"), outputs), (slow.plan("a"), outputs | read)):
        done = plan.finished(there)
        for number, result in enumerate(plan.results(there)):
            document = {key: value for key, value in result.to_json().items() if key != "raw"}
            text += f"{'done' if number in done else 'open'} {json.dumps(document, indent=1)}\n"
            text += f"{result.raw[-60:]!r} {result.allowances}\n"
    compare(HERE / "results.txt", text)


@dataclass
class _Clock:
    """Time that passes only while someone sleeps."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _said(name: str, uptime: object, **fields: object) -> str:
    return json.dumps({"nitro": name, "uptime": uptime, **fields})


KERNEL = [_said("kernel", 0.9, release="6.12"), "[ 1.0] noise\x1b[31m", _said("link", 1.5)]
START = _said("start", 2.1, command="serve", memory_kib=491520, free_kib=409600)
READY = [*KERNEL, START, _said("ready", 2.4, ports=[80])]
KILLED = (
    "[  9.1] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
    "file-rss:4kB, shmem-rss:0kB, UID:0"
)
CONSOLES: dict[str, list[str]] = {
    "ready": READY,
    "odd": [*KERNEL, _said("ready", -1), _said("ready", True), _said("ready", "2"), READY[-1]],
    "again": [*READY[:-1], START, _said("ready", 9), READY[-1]],
    "never": KERNEL,
    "silent": [],
    "failed": [*KERNEL, _said("fail", 7, what="no address by DHCP")],
    "failed without a reason": [*KERNEL, _said("fail", 7)],
    "panic": [KERNEL[0], "[ 7.9] Kernel panic - not syncing: VFS: Unable to mount root fs"],
    "panic for memory": [
        "[ 3.0] Out of memory: Killed process 1 (init) total-vm:9kB",
        "[ 3.1] Kernel panic - not syncing: System is deadlocked on memory",
    ],
    "ended 3": [*READY, "said before", _said("exit", 2.5, code=3, restart=False)],
    "ended 0": [*READY, "said before", _said("exit", 2.5, code=0, restart=False)],
    "ended by a signal": [*READY, _said("exit", 2.5, code=139, restart=False)],
    "could not start": [*READY, _said("exit", 2.5, code=127, restart=False)],
    "restarts": [*KERNEL, *[START, "oh", _said("exit", 2.6, code=1, restart=True)] * 4],
    "restarts once": [*KERNEL, START, _said("exit", 2.6, code=1, restart=True), START, READY[-1]],
    "out of memory": [*KERNEL, START, KILLED, _said("exit", 9.2, code=137, restart=False)],
    "listens elsewhere": [
        *READY[:-1],
        _said("listening", 8, sockets=["0100007F:0050"], ipv6_only=[]),
    ],
    "listens on nothing": [*READY[:-1], _said("listening", 8, sockets=[], ipv6_only=[])],
    "IPv6 only": [*READY[:-1], _said("listening", 8, sockets=[], ipv6_only=[80])],
    "OSv": [
        "OSv v0.57.0-398-g0e34e4dc",
        "eth0: 172.31.32.4",
        "\tTotal time: 347.51ms, (+231.39ms)",
        "Cmdline: /usr/bin/iperf3",
        "program /usr/bin/iperf3 returned 3",
    ],
}
WATCHES: dict[str, dict[str, Any]] = {
    "a service": {"ports": [80]},
    "a service without ports": {},
    "a program that ends": {"ends": True},
    "a service at an address": {"ports": [80], "address": ("127.0.0.1", 1)},
}


@pytest.mark.extended
def test_boots() -> None:
    """Each console under each watch: what it says a second at a time, 20 seconds at most."""
    text = ""
    for name, lines in CONSOLES.items():
        text += f"{name}\n"
        for how, options in WATCHES.items():
            text += f"  {how}: {_boot(lines, options)}\n"
    compare(HERE / "boots.txt", text)


def _boot(lines: list[str], options: dict[str, Any]) -> str:
    clock = _Clock()
    watch = Watch(
        lambda: "\r\n".join(lines[: int(clock.now - 100)]),
        launched=90.0,
        clock=clock,
        sleep=clock.sleep,
        started=1e9,
        larger=lambda mib: f"{mib} MiB more",
        **{"address": None, **options},
    )
    shown: list[str] = []
    stage: Any = SimpleNamespace(status=lambda said: shown.append(said.rpartition(", ")[0]))
    try:
        result = wait(watch, deadline=20, stage=stage)
    except BootFailed as failure:
        more = "".join(f"\n    | {line}" for line in failure.console.splitlines()[-2:])
        told = f"{failure}{more}"
    else:
        told = ", ".join(f"{name} {metric}" for name, metric in result.metrics.items())
        told += f"; {result.seconds:.0f} s"
    return f"{told}\n    after {clock.now - 100:.0f} s; {', '.join(dict.fromkeys(shown))}"
