"""What commands ask of the library, call by call, and what they say of what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.check import Check
from nitro.cli import connection
from nitro.cli.output import reporter
from nitro.errors import NitroError, RefusedError
from nitro.local import Endpoint
from nitro.progress import Reporter
from tests.transcripts import compare
from tests.unit.cli.calls import CONNECTION, connected_of, new_log
from tests.unit.cli.said import said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_connections(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    text, log = "", new_log()
    report = Reporter()

    def connect(**asked: Any) -> Any:
        return SimpleNamespace(
            region=asked["region"] or "of the profile",
            account="123456789012",
            endpoint_url=asked.get("endpoint_url"),
        )

    endpoint = Endpoint("http://local", "ca", "mars", "a", "b")
    kept: list[str] = []

    @contextmanager
    def session(given: Any) -> Iterator[Any]:
        log.lines.append(f"session {given is report}")
        yield SimpleNamespace(
            endpoint=endpoint, keep=lambda: kept.append("kept"), death=lambda: deaths.get("is")
        )

    deaths: dict[str, Any] = {}
    monkeypatch.setattr("nitro.cloud.session.Cloud.connect", log.of("connect", connect))
    monkeypatch.setattr("nitro.local.session", session)
    ranges = log.of("check_ranges")
    monkeypatch.setattr("nitro.cloud.network.check_ranges", ranges)
    taps = SimpleNamespace(ok=True, detail="none", remedy="make one")
    monkeypatch.setattr("nitro.local.doctor.tap_devices", log.of("tap_devices", lambda: taps))
    status = SimpleNamespace(folder=Path("/state"), pid=None)
    monkeypatch.setattr("nitro.local.status", lambda: status)
    instance = "i-0123456789abcdef0"

    def one(what: str, meanwhile: Any = None, **asked: Any) -> None:
        nonlocal text
        text += f"{what}\n"
        try:
            with connection.connected(report, **asked) as found:
                text += f"  {found.cloud.region} {found.cloud.endpoint_url} {found.allow} "
                text += f"{bool(found.local)} {found.settings.cloud}\n"
                found.keep()
                if meanwhile:
                    raise meanwhile
        except NitroError as error:
            text += f"  {type(error).__name__} {error}"
            text += f" from {error.__cause__!r}\n" if error.__cause__ else "\n"
        out, err = capsys.readouterr()
        text += log.take() + f"  {kept}\n" + "".join(f"  ! {line}\n" for line in err.splitlines())
        kept.clear()
        assert not out

    aws: dict[str, Any] = {"cloud": "aws"}
    one("AWS", **aws)
    one("AWS, all that can be chosen", **aws, region="eu-west-1", profile="p", dry_run=True)
    one("AWS, who may reach it", **aws, allow="10.0.0.0/8,10.1.0.0/16")
    one("AWS, that launches", **aws, launches=True)
    one("AWS, a subnet", **aws, subnet="subnet-0123456789abcdef0")
    one("a subnet that is none", subnet="sg-01234567")
    one("AWS, an instance", **aws, instance=instance)
    one("an instance that is none", instance="i-1")
    one("an instance, and no local Nitro", instance=instance)
    status.pid = 5
    one("an instance", instance=instance)
    one("local")
    one("local, in a region", region="eu-west-1")
    one("local, in its own region", region="us-east-1")
    one("local, in no region", region="moon-1")
    one("local, that launches", launches=True)
    one("local, a dry run that launches", launches=True, dry_run=True)
    one("local, who may reach it", allow="10.0.0.0/8")
    taps.ok = False
    one("local, without TAP devices", launches=True)
    one("local, without TAP devices, looking", launches=False)
    one("local, a failure", meanwhile=NitroError("refused"))
    deaths["is"] = NitroError("the local Nitro has died", hint="see its log")
    one("local, a failure as it died", meanwhile=NitroError("refused"))
    (here / "nitro.toml").write_text('cloud = "aws"\nregion = "eu-north-1"\n')
    one("by a file")
    one("by a file, and an option", region="eu-west-1")
    variables = {"AWS_ENDPOINT_URL": "http://there", "AWS_ACCESS_KEY_ID": "k"}
    variables |= {"AWS_SECRET_ACCESS_KEY": "s", "NITRO_GUEST_CA": "ca"}
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    one("elsewhere")
    for name in variables:
        with monkeypatch.context() as patch:
            patch.delenv(name)
            one(f"elsewhere, without {name}")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", "t")
        one("elsewhere, with a token")
    refused = RefusedError("no credentials", hint="log in")
    monkeypatch.setattr("nitro.cloud.session.Cloud.connect", log.of("connect", refused))
    one("without credentials")

    def unknown(**_: Any) -> Any:
        class Nobody:
            region, endpoint_url = "x", None

            @property
            def account(self) -> str:
                raise refused

        return Nobody()

    monkeypatch.setattr("nitro.cloud.session.Cloud.connect", log.of("connect", unknown))
    one("with keys that are refused")
    (here / "nitro.toml").unlink()
    for pid in (None, 5):
        status.pid = pid
        for asked in ({}, {"region": "us-east-1"}, {"cloud": "aws"}):
            text += f"idle {pid} {asked}: {connection.idle(**asked)}\n"
    compare(HERE / "calls-connections.txt", text.replace(str(here), "<folder>"))


def test_doctors(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    good, bad = Check("disk", True, "there"), Check("net", False, "gone", "plug it in")
    monkeypatch.setattr("nitro.cli.doctor.connected", connected_of(log))
    monkeypatch.setattr("nitro.cloud.role.create", log.of("create"))
    monkeypatch.setattr("nitro.cloud.storage.own_bucket_name", log.of("own", "own-bucket"))
    for machine, account, kernels in (
        ([good], [good], [good]),
        ([bad, good], [good], []),
        ([], [bad], []),
        ([], [], [bad]),
    ):
        monkeypatch.setattr("nitro.local.doctor.examine", log.of("machine", machine))
        monkeypatch.setattr("nitro.cloud.doctor.examine", log.of("account", account))
        monkeypatch.setattr("nitro.image.osv.doctor.examine", log.of("kernels", kernels))
        for words in ((), ("--cloud", "aws"), ("--json",)):
            text += said("doctor", *words) + log.take()
    for bucket in ("b", None):
        monkeypatch.setattr(CONNECTION.settings, "bucket", bucket)
        text += said("doctor", "--create-role", "--cloud", "aws") + log.take()
    compare(HERE / "calls-doctors.txt", text)


def test_the_local_nitro_by_hand(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    status: Any = SimpleNamespace(endpoint=None, pid=None, folder=Path("/state"))
    monkeypatch.setattr("nitro.local.status", lambda: status)
    monkeypatch.setattr("nitro.local.up", log.of("up"))
    monkeypatch.setattr("nitro.local.weather.conditions.read", log.of("read", "a day"))
    text += said("local", "status") + said("local", "status", "--json") + said("local", "env")
    for words in (
        (),
        ("--offloads", "all", "--map-llq"),
        ("--weather", "7", "--json"),
        ("--shape", "c5.large:in=1M", "--shape", "t3.micro:out=2M,uncounted"),
        ("--shape", "c5.large:in=1M", "--shape", "c5.large:out=2M"),
        ("--shape", "c5.large"),
        ("--shape", "c5:in=1M"),
        ("--shape", "c5.large:x"),
        ("--shape", "c99.large:in=1M"),
        ("--shape", ":in=1M"),
    ):
        text += said("local", "up", *words) + log.take()
    status.endpoint = Endpoint("http://there", "ca", "mars", "it's", "a b")
    status.pid = 7
    text += said("local", "status") + said("local", "status", "--json") + said("local", "env")
    for stopped in (True, False):
        monkeypatch.setattr("nitro.local.down", log.of("down", stopped))
        text += said("local", "down") + said("local", "down", "--force") + log.take()
    report = Reporter()
    monkeypatch.setattr(report, "close", log.of("close"))
    monkeypatch.setattr("nitro.cli.local.reporter", lambda: report)
    monkeypatch.setattr("nitro.cli.local.say", log.of("say"))
    text += said("local", "up") + said("local", "down") + log.take()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text += said("local", "up", "--shape", "nonsense") + log.take()
    compare(HERE / "calls-local.txt", text)


def test_selftests(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.selftest.connected", connected_of(log))
    monkeypatch.setattr(
        "nitro.cli.recipe_arg.find", log.of("find", SimpleNamespace(title="recipe"))
    )

    def check(outcome: str, seconds: float = 0, usd: float = 0, remedy: str = "") -> Any:
        return SimpleNamespace(
            **{"outcome": outcome, "name": f"a {outcome} one", "came": "so", "expected": "other"},
            **{"seconds": seconds, "usd": usd, "remedy": remedy},
        )

    some = [check("ok", 1.25, 0.00012), check("failed", 0, 0.5, "mend"), check("skipped", 2)]
    for checks in ([], some[:1], some):
        ok = all(one.outcome == "ok" for one in checks)
        found = SimpleNamespace(
            title="report", checks=checks, usd=0.125, ok=ok, to_json=lambda c=checks: {"n": len(c)}
        )
        made = SimpleNamespace(title="selftest", run=log.of("run", found))
        monkeypatch.setattr("nitro.selftest.Selftest", log.of("Selftest", made))
        for words in ((), ("--json",), ("-o", "report.json", "--budget", "0", "--subnet", "s")):
            text += said("selftest", *words) + log.take()
    text += (here / "report.json").read_text() + said("selftest", "-o", "none/x")
    compare(HERE / "calls-selftests.txt", text)


def test_traces(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.strace.connected", connected_of(log))
    console = {"is": "nothing"}
    monkeypatch.setattr("nitro.cloud.console_output", log.of("console", lambda *_: console["is"]))
    totals = [
        SimpleNamespace(name="open", count=3, errors=1, seconds=0.25),
        SimpleNamespace(name="x", count=1, errors=0, seconds=None),
    ]
    monkeypatch.setattr("nitro.strace.calls", log.of("calls", lambda t: t))
    monkeypatch.setattr(
        "nitro.strace.totals", log.of("totals", lambda t: totals if "open" in t else [])
    )
    instance = "i-0123456789abcdef0"
    for is_ in ("nothing", "open(x)"):
        console["is"] = is_
        for words in ((), ("--json",)):
            text += said("strace", instance, *words) + log.take()

    def follow(*_: object) -> Iterator[str]:
        yield "open\r\n"
        yield "x\r\n"
        if stop["is"]:
            raise KeyboardInterrupt

    stop = {"is": False}
    monkeypatch.setattr("nitro.cli.console.follow", follow)
    for is_over in (False, True):
        stop["is"] = is_over
        for words in ((), ("--json",)):
            text += said("strace", instance, "--follow", *words) + log.take()
    monkeypatch.setattr("nitro.cli.console.connected", connected_of(log))
    stop["is"] = False
    console["is"] = '{"nitro":"ready","uptime":2,"ports":[80]}\r\n\x1b[31mred\r\n'
    lines: tuple[tuple[str, ...], ...] = ((), ("--raw",), ("--json",), ("-f",), ("-f", "--raw"))
    for line in (*lines, ("-f", "--json")):
        text += said("console", instance, *line) + log.take()
    compare(HERE / "calls-traces.txt", text)


def test_reporters(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for terminal, term in ((True, "xterm"), (True, "dumb"), (True, None), (False, "xterm")):
        monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda t=terminal: t, write=print))
        monkeypatch.delenv("TERM", raising=False)
        if term:
            monkeypatch.setenv("TERM", term)
        found.append(type(reporter()).__name__)
    assert found == ["TerminalReporter", "LineReporter", "LineReporter", "LineReporter"]
