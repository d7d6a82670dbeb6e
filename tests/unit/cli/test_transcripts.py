"""What commands print that need no cloud: results, caches, kernels, folders, and errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from nitro import cache
from nitro.cache import Entry
from nitro.cli import options, publish_output, run_end, summary
from nitro.cli.console import news
from nitro.cloud import Cloud, tags
from nitro.cloud import garbage as garbages
from nitro.cloud.garbage import Garbage, Kept, Region
from nitro.cloud.inventory import Resource
from nitro.console import milestones, tail
from nitro.deploy import ProgramEnd
from nitro.errors import NitroError
from nitro.launch_ami import Launched
from nitro.ports import Port
from nitro.probe import Metric, Result
from nitro.progress import Span
from nitro.publish.observe import RegionState
from nitro.publish.parameters import Flip
from nitro.publish.verify import Verdict
from nitro.strace import calls, totals
from tests.transcripts import compare
from tests.unit.cli.said import said
from tests.unit.cli.test_publish_output import SECOND_ERROR, published
from tests.unit.cli.test_summary import DEPLOYMENT
from tests.unit.image.osv.kernel import build as build_kernel
from tests.unit.image.osv.test_headers import tree
from tests.unit.probe.recorded import DATA, recorded
from tests.unit.publish.test_plan import HOME, SECOND, finished, made, wanted
from tests.unit.test_strace import LINUX, OSV

HERE = Path(__file__).parent / "transcripts"


def _everything(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    return f"{out}{''.join(f'! {line}' for line in err.splitlines(keepends=True))}\n"


def _metrics(**values: tuple[float, str]) -> dict[str, Metric]:
    return {name: Metric(value, unit, None) for name, (value, unit) in values.items()}


PROBES = [
    *DEPLOYMENT.probes,
    Result("boot", "boot", _metrics(boot_first_connection=(0.2, "s"))),
    Result("boot", "boot", _metrics(boot_ready=(0.25, "s"))),
    Result("boot", "boot", error="boot: the guest failed"),
    Result("http", "http", {}),
    # To the last column, and one beyond it.
    *(Result("a", "b", error=f"{'x' * 23} {'y' * number}") for number in (23, 24)),
    *(Result("a", "b", _metrics(m=(1, "u" * 23), m_p50=(1, "v" * n))) for n in (22, 23, 24)),
    Result("iperf3", "iperf3-tcp-out", _metrics(tcp_out=(9.9951e9, "bit/s"), other=(1, "x"))),
    Result("iperf3", "x", _metrics(tcp_in=(999.6, "bit/s"), tcp_in_retransmits=(1, "segments"))),
    Result("iperf3", "x", _metrics(tcp_in=(0, "bit/s"), tcp_in_retransmits=(1234, "segments"))),
    Result("iperf3", "x", _metrics(udp_in=(1e6, "bit/s"), udp_in_lost=(0, "%"))),
    Result("netperf", "x", _metrics(tcp_crr=(1.5, "transactions/s"), tcp_crr_cpu_client=(1, "%"))),
    Result("mine", "mine", _metrics(mine=(12.345, "%"), mine_p50=(1.0, "s"), mine_p75=(2, "s"))),
]


def test_results(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = replace(
        DEPLOYMENT,
        probes=PROBES,
        program=ProgramEnd(3, 1.25, "hello\x1b[31m"),
        leftovers=["an AMI", "instance i-1, which ends with `nitro destroy`"],
    )
    bare = replace(
        DEPLOYMENT,
        instance=replace(DEPLOYMENT.instance, public_ip="", fallback="no link", driver="kernel"),
        published=SimpleNamespace(
            **{**vars(DEPLOYMENT.published), "reused": False, "bytes_uploaded": 12_345_678}
        ),
        probes=[],
        program=ProgramEnd(0, None, ""),
        timeline=[],
    )
    launched = Launched(
        "d-1",
        "bench",
        DEPLOYMENT.published,
        DEPLOYMENT.instance,
        (),
        timeline=[Span("launch", 2.0)],
        leftovers=["instance i-1"],
    )
    text = ""
    for verbose in (False, True):
        monkeypatch.setattr(options, "verbose", verbose)
        summary.show(deployment, as_json=False)
        summary.show_probes(PROBES[4:], as_json=False)
        text += f"---- {'all metrics' if verbose else 'short'}\n{_everything(capsys)}"
    monkeypatch.setattr(options, "verbose", False)
    for one in (bare, replace(bare, program=None)):
        summary.show(one, as_json=False)
    summary.show_launched(launched, as_json=False)
    summary.show_probes(PROBES[:2], as_json=True)
    text += f"---- others\n{_everything(capsys)}"
    for number in (22, 53, 80, 81, 443, 3000, 5201, 5432, 6379, 8080, 8443):
        for protocol in ("tcp", "udp"):
            summary.show_address(DEPLOYMENT.instance, [Port.parse(f"{protocol}:{number}")])
    summary.show_address(replace(DEPLOYMENT.instance, public_ip=""), [])
    text += f"---- addresses\n{_everything(capsys)}"
    compare(HERE / "results.txt", text)


def test_publications(capsys: pytest.CaptureFixture[str]) -> None:
    of = wanted()
    plan = made(of, finished(of, HOME), RegionState(SECOND, error=SECOND_ERROR))
    plan = replace(plan, kept={"ami-0": ["instance i-1", "parameter /web"]})
    verdicts = [Verdict(HOME, (), 32), Verdict(SECOND, ("the AMI is gone", "and more"), 0)]
    flips = [
        Flip(Cloud(HOME, boto3.Session()), "/web", "ami-1", "ami-2"),
        Flip(Cloud(SECOND, boto3.Session()), "/web", None, "ami-3"),
    ]
    done = [
        published(wanted(parameter="/web"), failed=True),
        published(wanted(parameter="/web"), failed=False),
        published(wanted(), failed=False),
    ]
    for as_json in (False, True):
        publish_output.show_plan(plan, as_json=as_json)
        for one in done:
            publish_output.show(one, Path("web.json"), as_json=as_json)
        publish_output.show(done[0], None, as_json=as_json)
        publish_output.show_verdicts(verdicts, as_json=as_json)
        publish_output.show_flips(flips, as_json=as_json)
        publish_output.show_flips([], as_json=as_json)
    compare(HERE / "publications.txt", _everything(capsys))


def test_ages(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 7, 20, 10, 11, 12, tzinfo=UTC)

    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[Any]:
        yield SimpleNamespace(cloud=None, settings=SimpleNamespace(bucket=None))

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now

    def instance(age: float, ports: str) -> Resource:
        later = (now + timedelta(seconds=age)).isoformat()
        found = {tags.EXPIRES: later, tags.PORTS: ports, tags.DEPLOYMENT: "d", tags.DIGEST: "x"}
        return Resource(
            "instance", "i-1", "web", "running", now - timedelta(seconds=age), tags=found
        )

    def inventory(*_: object) -> list[Resource]:
        ages = (0, 0.9, 1, 119, 120, 7199, 7200, 172_799, 172_800, 1e7, -1, -7200, -1e6)
        return [Resource("bucket", "mine"), *(instance(age, "80 udp:53") for age in ages)]

    monkeypatch.setattr("nitro.cli.instances.connected", connected)
    monkeypatch.setattr("nitro.cli.instances.datetime", Then)
    monkeypatch.setattr("nitro.cloud.inventory", inventory)
    text = said("ls", "--cloud", "aws")
    monkeypatch.setattr("nitro.cloud.inventory", lambda *_: [instance(1, "80 x"), instance(60, "")])
    compare(HERE / "ages.txt", text + said("ls", "--cloud", "aws", "--json"))


def test_garbage(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[Any]:
        yield SimpleNamespace(cloud=None, settings=SimpleNamespace(bucket="mine"))

    snapshot, group = Resource("snapshot", "snap-1", "web"), Resource("security group", "sg-1")

    def find(*asked: Any) -> list[Region]:
        kept = Kept(Resource("image", "ami-1"), ("instance i-1", "parameter /web"))
        found = [Garbage(snapshot, "unfinished"), Garbage(group, "expired")]
        regions = [Region("eu-west-1", found, [kept]), Region("us-east-1")]
        if len(asked[1]) > 2:
            regions.append(Region("eu-north-1", error=NitroError("no answer", hint="ask again")))
        return regions[-1:] if len(asked[1]) == 1 else regions

    def collect(_: object, found: list[Region], __: object) -> None:
        for region in found:
            region.removed += [one.resource for one in region.garbage if one.resource != group]

    regions = ["eu-west-1", "us-east-1", "eu-north-1"]
    monkeypatch.setattr("nitro.cli.gc.connected", connected)
    monkeypatch.setattr(garbages, "find_in", find)
    monkeypatch.setattr(garbages, "collect", collect)
    monkeypatch.setattr(garbages, "regions_of", lambda _: regions)
    text = said("gc", "--plan") + said("gc") + said("gc", "--json")
    text += said("gc", "--region", "us-east-1") + said("gc", "--older-than", "1d", "--json")
    regions.pop()
    text += said("gc", "--older-than", "1d")
    compare(HERE / "garbage.txt", _timeless(text))


def _timeless(text: str) -> str:
    text = re.sub(r"\b\d+\.\d s\b", "<s>", text)
    return re.sub(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d\S*\b)?", "<time>", text)


def test_caches(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(kind: str, name: str, size: int, days: float) -> Entry:
        at = datetime(2026, 7, 20, 10, 11, 12, tzinfo=UTC) - timedelta(days=days)
        return Entry(kind, Path(kind, name), size, at)

    def unused(found: list[Entry], age: timedelta) -> list[Entry]:
        return looked(found, age, datetime(2026, 7, 20, 10, 11, 12, tzinfo=UTC))

    def remove(found: Entry) -> bool:
        if found.path.name == "busy":
            raise NitroError(f"{found.path} cannot be removed", hint="close it")
        if found.path.name != "used":
            there.remove(found)
        return found.path.name != "used"

    looked, there = cache.unused, list[Entry]()
    monkeypatch.setattr(cache, "entries", lambda: list(there))
    monkeypatch.setattr(cache, "unused", unused)
    monkeypatch.setattr(cache, "remove", remove)
    text = said("cache", "ls") + said("cache", "prune") + said("cache", "ls", "--json")
    there += [entry("debs", "a.deb", 100_000, 45), entry("debs", "b.deb", 250_000, 25)]
    there += [entry("debs", "used", 1_000_000, 31), entry("debs", "c.deb", 1, 0.01)]
    there += [entry("images", "0a", 3_000_000, 50), entry("images", "0b", 7_049_000, 29.9)]
    text += said("cache", "ls") + said("cache", "ls", "--json")
    text += said("cache", "prune", "--plan") + said("cache", "prune", "--json", "--plan")
    text += said("cache", "prune") + said("cache", "prune", "--older-than", "x")
    there += [entry("trees", "busy", 1, 50), entry("trees", "x", 2_000_000, 50)]
    there += [entry("wheels", "busy", 1, 50)]
    text += said("cache", "prune", "--older-than", "20d", "--json") + said("cache", "ls")
    compare(HERE / "cache.txt", re.sub(r"\b\d+\.\d s\b", "<s>", text))


def test_kernels_and_folders(here: Path, tmp_path: Path) -> None:
    text = said("kernel", "ls")
    loader = here / "loader.elf"
    loader.write_bytes(build_kernel())
    text += said("kernel", "add", "mine", "loader.elf")
    text += said(
        "kernel", "add", "other", "loader.elf", "--json", "--source", str(tree(here / "osv"))
    )
    text += said("kernel", "ls") + said("kernel", "ls", "--json") + said("kernel", "export", "site")
    text += said("kernel", "add", "Bad Name", "loader.elf") + said("kernel", "add", "x", "none")
    text += said("kernel", "add", "x", "loader.elf", "--sha256", "12")
    text += said("kernel", "add", "x", "loader.elf", "--sha256", "0" * 64)
    text += said("kernel", "rm", "mine", "none") + said("kernel", "rm", "mine", "other")
    text += said("inspect", "loader.elf") + said("inspect", "loader.elf", "--files")
    text += said("inspect", "loader.elf", "--json") + said("inspect", "none")
    text += said("init", "none") + said("init", "loader.elf") + said("init") + said("init")
    text += "".join(
        f"{path}:\n{(here / path).read_text()}\n" for path in ("nitro.toml", "here.toml")
    )
    text = _timeless(text.replace(str(tmp_path), "<folder>"))
    compare(HERE / "kept.txt", text)


CONSOLES = {
    "ends": ['{"nitro":"exit","uptime":2.5,"code":0,"restart":false}'],
    "fails": ["oh", '{"nitro":"exit","uptime":2.5,"code":3,"restart":false}'],
    "is killed": ['{"nitro":"exit","uptime":2.5,"code":137,"restart":false}'],
    "loops": ['{"nitro":"start","uptime":1}', '{"nitro":"exit","uptime":2,"code":0,"restart":true}']
    * 3,
    "is out of memory": [
        '{"nitro":"start","uptime":1,"memory_kib":491520,"free_kib":409600}',
        "[  9.1] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
        "file-rss:4kB, shmem-rss:0kB, UID:0",
        '{"nitro":"exit","uptime":2,"code":137,"restart":false}',
    ],
    "has no space": [
        "[ 1.0] No space left on device",
        '{"nitro":"exit","uptime":2,"code":1,"restart":false}',
    ],
    "panics": ["[ 7.9] Kernel panic - not syncing: VFS: Unable to mount root fs"],
    "panics for memory": ["[ 7] Out of memory", "[ 7.9] Kernel panic - not syncing: x"],
    "is silent": ["hello"],
    "listens elsewhere": [
        '{"nitro":"listening","uptime":8,"sockets":["0100007F:0050"],"ipv6_only":[]}'
    ],
    "listens by IPv6": [
        '{"nitro":"listening","uptime":8,"sockets":[],"ipv6_only":[80]}',
        '{"nitro":"ready","uptime":2.5,"ports":[80]}',
    ],
    "listens": [
        '{"nitro":"listening","uptime":8,"sockets":["00000000:0050"],"ipv6_only":[]}',
        '{"nitro":"ready","uptime":2.5,"ports":[80]}',
    ],
}
NEWS = (
    *(
        ("", "a"),
        ("a", "ab"),
        ("ab", "ab"),
        ("ab", "b"),
        ("abc", "bcd"),
        ("abc", "xyz"),
        ("ab", ""),
    ),
    ("a" * 10 + "b" * 2048, "b" * 2048 + "new"),
    ("a" * 10 + "b" * 2048, "b" * 2047 + "new"),
)
ODD = (
    '{"nitro":"a","uptime":1}{"nitro":"b","uptime":2} {"nitro":"c","uptime":1e9}',
    '{ "nitro" : "a", "uptime": 0, "x": {"nitro":"inner","uptime":1}}',
    '{"nitro":"a","uptime":1000000001}{"nitro":"a","uptime":-1}{"nitro":"a","uptime":true}',
    '{"nitro":1,"uptime":1}{"nitro":"a"}{"nitro":"a","uptime":NaN}{"nitro":"b","uptime":3}',
    '{"nitro":"' + "a" * 4075 + '","uptime":1}',
    '{"nitro":"' + "a" * 4074 + '","uptime":1}',
)


def test_consoles(capsys: pytest.CaptureFixture[str]) -> None:
    """What is said at the end of `nitro run`, counted of calls, and found among other text."""
    text = ""
    for name, lines in CONSOLES.items():
        console = "\r\n".join(lines)
        try:
            end = str(run_end.status(console, 512))
        except NitroError as error:
            end = f"{error.what}; {error.hint}"
        run_end.explain_silence(console, [80, 81])
        text += f"{name}: {end}\n{_everything(capsys)}"
    for console in (LINUX, OSV):
        for call in calls(console):
            text += f"{call}\n"
        for total in totals([*calls(console), *calls(console)[:2]]):
            text += f"{total}\n"
    for before, now in NEWS:
        text += f"after {before[-5:]!r}, {now[-5:]!r} says {news(before, now)[-9:]!r} as news\n"
    for odd in ODD:
        found = [f"{one.name[:5]} {one.uptime} {one.fields}" for one in milestones(odd)]
        text += f"{odd[:60]}\n  {found}\n"
    for file in sorted(DATA.glob("*/*.txt"))[:3]:
        text += f"{file.name}\n{tail(recorded(str(file.relative_to(DATA))) * 2, 3)}\n"
    compare(HERE / "consoles.txt", text)
