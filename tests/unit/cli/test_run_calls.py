"""What `nitro run` asks of QEMU, and what `nitro bench job` does, call by call."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench.store import FolderStore
from nitro.cli import app
from nitro.cli.bench import place, submit
from nitro.errors import InputError
from nitro.local.attach import ConsoleSession
from tests.said import told
from tests.stand_ins import Log
from tests.transcripts import compare
from tests.unit.cli.calls import CONNECTION, connected_of, new_log
from tests.unit.cli.said import said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
START = '{"nitro":"start","uptime":2.1,"command":"x","memory_kib":491520,"free_kib":409600}'
READY = '{"nitro":"ready","uptime":2.4,"ports":[80]}'
MISSED = 'nitro-trace openat(AT_FDCWD, "/etc/missing", O_RDONLY) = -1 ENOENT (No such file)'


def console(*lines: str, left: bool = False) -> ConsoleSession:
    return ConsoleSession("\r\n".join([START, *lines, ""]).encode(), left=left)


def ended(status: int, *, restart: bool = False) -> str:
    again = "true" if restart else "false"
    return f'{{"nitro":"exit","uptime":2.5,"code":{status},"restart":{again}}}'


KILLED = (
    "[  9.1] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
    "file-rss:4kB, shmem-rss:0kB, UID:0"
)
LISTENING = '{"nitro":"listening","uptime":8,"sockets":["0100007F:0050"],"ipv6_only":[]}'
SESSIONS = {
    "ended": console(ended(0)),
    "ended with 3": console(ended(3)),
    "ended with 127": console(ended(127)),
    "ended with 128": console(ended(128)),
    "restarts": console(*[ended(1, restart=True)] * 3),
    "out of memory": console(KILLED, ended(137)),
    "no space": console("write: No space left on device", ended(1)),
    "panic": console("[ 7.9] Kernel panic - not syncing: VFS: Unable to mount root fs"),
    "nothing": console(),
    "left": console(READY, left=True),
    "left before it was ready": console(LISTENING, left=True),
    "left as it ended": console(ended(2), left=True),
    "missed": console(MISSED, ended(0)),
    "traced": console("nitro-trace openat(1) = 3", "nitro-trace read(3) = -1 EIO (x)", ended(0)),
}


@pytest.fixture
def log(here: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """With a recipe, a built image and a QEMU that are not there."""
    log = new_log()
    (here / "web.toml").write_text('name = "web"\ncommand = ["/x", "a b"]\nports = [80]\n')
    (here / "disk.raw").write_bytes(b"a disk")
    (here / "manifest.json").write_text('{"files": []}')
    image = SimpleNamespace(
        title="image",
        path=here / "disk.raw",
        manifest_path=here / "manifest.json",
        minimum_memory_mib=96,
    )
    monkeypatch.setattr("nitro.image.build", log.of("build", image))
    monkeypatch.setattr("nitro.local.qemu.find", log.of("find", "qemu"))
    monkeypatch.setattr("nitro.local.qemu.needs_hpet", log.of("needs_hpet", True))
    monkeypatch.setattr("nitro.local.accel.best", log.of("best", "kvm"))
    linux = SimpleNamespace(kernel=Path("vmlinuz"), initrd=Path("initrd"), command_line="quiet")
    monkeypatch.setattr("nitro.image.linux.direct.unpack", log.of("unpack", linux))
    monkeypatch.setattr("nitro.cli.run._unusable", log.of("unusable"))
    monkeypatch.setattr("nitro.image.missing.scripts_hint", log.of("scripts", "a script"))
    return log


class Ran:
    """How the machine goes."""

    def __init__(self, log: Log, patch: pytest.MonkeyPatch) -> None:
        self.log, self.sessions, self.code = log, [console(ended(0))], 0
        patch.setattr("nitro.local.qemu.boot", self._boot)
        patch.setattr("nitro.local.attach.attach", self._attach)

    @contextmanager
    def _boot(self, emulator: Any, machine: Any, folder: Path, **more: Any) -> Iterator[Any]:
        given = {
            one.name: getattr(machine, one.name)
            for one in dataclasses.fields(machine)
            if getattr(machine, one.name) != one.default
        }
        given["disks"] = [disk.path.read_bytes() for disk in machine.disks]
        given["cards"] = len(given.get("cards", ()))
        self.log.lines.append(f"boot({emulator}, {given}, {more})")
        (folder / "qemu.log").write_text(" no such machine \n")
        yield SimpleNamespace(poll=lambda: self.code)

    def _attach(self, _process: Any, _in: int, _out: int, **more: Any) -> Any:
        session = self.sessions.pop(0) if len(self.sessions) > 1 else self.sessions[0]
        enough = more.pop("enough")
        texts = [each.written for each in SESSIONS.values()]
        self.log.lines.append(f"attach({more}) {[int(enough(each)) for each in texts]}")
        return session


def run(log: Log, capfd: Any, patch: pytest.MonkeyPatch, *words: str) -> str:
    """What `nitro run` says; it needs descriptors, not a runner's strings."""
    with Path("/dev/null").open() as nobody, patch.context() as inner:
        inner.setattr("sys.stdin", nobody)
        with pytest.raises(SystemExit) as done:
            app(["run", "web.toml", *words])
    out, err = capfd.readouterr()
    lines = "".join(f"! {line}\n" for line in err.splitlines() if line[-2:] != " s")
    return f"$ nitro run {' '.join(words)}\n{log.take()}{out}{lines}exit code {done.value.code}\n\n"


def test_machines(log: Log, here: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    text, ran = "", Ran(log, monkeypatch)
    for words in (
        (),
        ("--uefi",),
        ("--memory", "64"),
        ("--memory", "95"),
        ("--memory", "96"),
        ("--vcpus", "255"),
        ("--vcpus", "256"),
        ("--shell",),
        ("--locked",),
        ("--missing",),
        ("--strace", "open"),
        ("-f", "8080:80", "-f", "udp:5353:53"),
        ("-f", "8080:80", "-f", "8080:81"),
        ("-f", "8080:80", "-f", "udp:8080:81"),
        ("-f", "x"),
        ("--shell", "--missing"),
        ("--shell", "--complete"),
        ("--strace", "x", "--missing"),
        ("--strace", "x", "--complete"),
        ("--strace", "x", "--shell"),
        ("--write",),
        ("--kernel", "osv:x", "--shell"),
        ("--kernel", "osv:x", "--uefi"),
    ):
        text += run(log, capfd, monkeypatch, *words)
    for code in (1, None):
        ran.code = code  # type: ignore[assignment]
        text += run(log, capfd, monkeypatch)
    ran.code = 0
    for name, session in SESSIONS.items():
        ran.sessions = [session]
        for words in ((), ("--missing",), ("--shell",), ("--strace", "*")):
            text += f"---- {name}\n{run(log, capfd, monkeypatch, *words)}"
    compare(HERE / "calls-run.txt", _settled(text, here))


def _settled(text: str, here: Path) -> str:
    return re.sub(r"'[^']*/nitro-run-\w+", "'<temporary>", text.replace(str(here), "<folder>"))


def test_completions(log: Log, here: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    text, ran = "", Ran(log, monkeypatch)

    class Lack:
        def __init__(self, *entries: str) -> None:
            self.entries, self.packages = list(entries), ["pkg"]

        def __bool__(self) -> bool:
            return bool(self.entries)

        def lines(self, _recipe: Any) -> list[str]:
            return [f"files = {each}" for each in self.entries]

    lacks: list[Lack] = []
    monkeypatch.setattr("nitro.image.missing.Lack", Lack)
    monkeypatch.setattr("nitro.cli.run_missing.lack", lambda *_: lacks.pop(0) if lacks else Lack())
    monkeypatch.setattr(
        "nitro.image.missing.together", lambda _r, a, b: Lack(*a.entries, *b.entries)
    )
    completed = log.of("completed", lambda recipe, found: recipe)
    monkeypatch.setattr("nitro.image.missing.completed", completed)
    bad, good = SESSIONS["ended with 3"], SESSIONS["ended"]
    for what, sessions, found in (
        ("well at once", [good], 0),
        ("well in the end", [bad, bad, good], 2),
        ("it listens", [SESSIONS["left"]], 0),
        ("nothing is known to help", [bad], 1),
        ("never", [bad], 9),
    ):
        for words in (("--complete",), ("--complete", "--write", "--memory", "200", "--uefi")):
            ran.sessions, lacks[:] = list(sessions), [Lack(f"f{n}") for n in range(found)]
            text += f"---- {what}\n{run(log, capfd, monkeypatch, *words)}"
            text += (here / "web.toml").read_text()
    (here / "program").write_text("#!/bin/sh\n")
    text += said("run", "program", "--complete", "--write")
    compare(HERE / "calls-complete.txt", _settled(text, here))


def test_jobs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.bench.submit.connected", connected_of(log))
    kept = FolderStore(here / "record")
    monkeypatch.setattr(submit, "store_of", log.of("store_of", kept))
    plan = SimpleNamespace(title="plan", name="p")
    campaign = SimpleNamespace(
        title="campaign",
        **{"plan": plan, "night": date(2026, 11, 26), "subnet": "s", "bucket": "b"},
        **{"part": lambda: "part 1", "images": {"eu-west-1": {}}},
    )
    monkeypatch.setattr("nitro.bench.campaign.read", log.of("read", campaign))
    done = SimpleNamespace(to_json=lambda: {"recorded": 1})
    monkeypatch.setattr("nitro.bench.night.run", log.of("run", done))
    monkeypatch.setattr("nitro.bench.record.Record.compact", log.of("compact"))
    (here / "page").write_text("a page")
    monkeypatch.setattr("nitro.bench.report.write", log.of("write", here / "page"))
    monkeypatch.setattr("nitro.cli.bench.submit.judge", log.of("judge"))
    words = ("--cloud", "aws", "--region", "eu-west-1", "--record", "s3://b/x")
    topic = "arn:aws:sns:eu-west-1:123456789012:n"
    for more in ((), ("--last",), ("--last", "--webhook", "https://x", "--sns", topic)):
        text += said("bench", "job", "jobs/p", *words, *more) + log.take()
        text += f"{kept.read('reports/p')}\n"
    submission = SimpleNamespace(
        night=date(2026, 11, 26), missing=3, parts=2, last="l", to_json=dict
    )
    (here / "plan.toml").write_text(
        'name = "p"\n[matrix]\ntypes = ["c5.large"]\n[[test]]\nprotocol = "http"\n'
    )
    monkeypatch.setattr("nitro.bench.submit.submit", log.of("submit", submission))
    for job, new in ((None, False), ("j", True), ("j", False)):
        submission.job, submission.new = job, new
        for more in ((), ("--json",)):
            text += said("bench", "submit", "plan.toml", "--queue", "q", *words, *more) + log.take()
    for told_ in (("--webhook", "x"), ("--sns", "x"), ("--webhook", "https://x", "--sns", topic)):
        text += said("bench", "submit", "plan.toml", "--queue", "q", *words, *told_) + log.take()
    for until_down in (True, False):
        local = SimpleNamespace(runs_until_down=until_down)
        monkeypatch.setattr(CONNECTION, "local", local)
        text += said("bench", "submit", "plan.toml", "--queue", "q", *words) + log.take()
    monkeypatch.setattr(CONNECTION, "local", None)
    monkeypatch.setattr("nitro.cli.bench.run.connected", connected_of(log))
    monkeypatch.setattr("nitro.cli.bench.place.store_of", log.of("store_of", kept))
    report = SimpleNamespace(recorded=1, failed=0, there=2, left_out=0, night="N", to_json=dict)
    monkeypatch.setattr("nitro.bench.night.run", log.of("run", report))
    for failed, left_out in ((0, 0), (1, 0), (2, 3)):
        report.failed, report.left_out = failed, left_out
        for more in ((), ("--json",)):
            text += said("bench", "run", "plan.toml", *more) + log.take()
    text = re.sub(r"'/[^']*/tmp\w+'", "'<temporary>'", text)
    compare(HERE / "calls-jobs.txt", text.replace(str(here), "<folder>"))


def test_records(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.delenv("NITRO_RECORD", raising=False)
    monkeypatch.setattr("nitro.cli.bench.place.connected", connected_of(log))
    monkeypatch.setattr("nitro.bench.store.s3_store", log.of("s3_store", "in S3"))
    (here / "file").write_text("x")
    (here / "link").symlink_to(here / "nothing")
    (here / "folder").mkdir()
    cloud: Any = SimpleNamespace(title="cloud")
    for where in (None, "folder", "new", "file", "link", "s3://b/x", "ftp://x", ""):
        for given in (None, cloud):
            found = told(place.store_of, where, given)
            text += f"{where} {bool(given)}: {found.partition(' object')[0]}\n{log.take()}"
        for connect in (False, True):
            try:
                with place.opened(SimpleNamespace(), where, "aws", "r", "p", connect=connect) as (  # type: ignore[arg-type]
                    record,
                    account,
                ):
                    text += f"  opened {type(record).__name__} {bool(account)}\n"
            except InputError as error:
                text += f"  {error}\n"
            text += log.take()
        text += f"  {place.place_of(where)}\n"
    monkeypatch.setenv("NITRO_RECORD", "s3://other/y")
    text += f"{place.place_of(None)} {place.place_of('here')}\n"
    for missing in (*place._PACKAGES, None):
        monkeypatch.setattr(place, "find_spec", lambda name, m=missing: None if name == m else name)
        text += f"without {missing}: {told(place.require_extra)}\n"
    monkeypatch.setenv("NITRO_RECORD", "folder")
    lines: tuple[tuple[str, ...], ...] = (("history",), ("schema", "--athena"), ("check",))
    for words in (*lines, ("triage", "c", "soon", "--plan", "p")):
        text += said("bench", *words) + log.take()
    shown = text.replace(str(here.parent), "<home>")
    compare(HERE / "calls-records.txt", shown)
