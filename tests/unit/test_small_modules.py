"""The small modules at their bounds: progress, ports, settings, files, folders and budgets."""

from __future__ import annotations

import errno
import io
import itertools
import os
import stat
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro import arch, budget, cache, config, input_file, paths, ports, printable, space, sparse
from nitro.errors import NitroError
from nitro.progress import LineReporter, Pace, Reporter, amount
from nitro.replacing import replacing
from nitro.stored import stored
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"

pytestmark = pytest.mark.extended


class Text:
    """Cases, each with what came of it, without the folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.text, self._folder = "", str(folder)

    def add(self, title: object, ask: Callable[..., object], *given: Any, **named: Any) -> None:
        try:
            found = str(ask(*given, **named))
        except NitroError as error:
            found = f"{type(error).__name__}: {error.what}; {error.hint}"
        except (OSError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
        self.text += f"{title}: {found}\n".replace(self._folder, "FOLDER")

    def compare(self, name: str) -> None:
        compare(HERE / f"{name}.txt", self.text)


@pytest.fixture
def said(tmp_path: Path) -> Text:
    return Text(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clocks of stages and of budgets say."""
    now = [0.0]
    fake = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    for module in ("progress", "budget"):
        monkeypatch.setattr(f"nitro.{module}.time", fake)
    return now


def test_progress(said: Text, clock: list[float]) -> None:
    for done, total, unit in (
        *((0, None, "B"), (0, 0, "B"), (1_049_999, 2e6, "B"), (5, None, "blocks")),
        *((0.5, 2.0, "%"), (1e7, 1e7, "blocks")),
    ):
        said.add((done, total, unit), amount, done, total, unit)
    for title, reports in {
        "a second": ((0, 0), (0.99, 1e6), (1.0, 1e6), (2.0, 4e6)),
        "from a byte": ((5, 1e6), (6, 1e6), (7, 3e6), (8, 1e6), (9, 9e5), (10.5, 2e6)),
        "later": ((5, 0), (5.5, 1e6), (7, 4e6)),
        "of unknown size": ((0, 0), (2, 4e6)),
        "to the end": ((0, 0), (2, 10e6), (4, 11e6)),
    }.items():
        now = 0.0
        pace = Pace(lambda: now)  # noqa: B023
        total = None if "unknown" in title else 10e6
        told = []
        for now, done in reports:  # noqa: B007
            told.append(pace.describe(done, total, "B"))
        said.add(title, lambda lines: lines, told)
    now = 0.0
    pace = Pace(lambda: now)
    said.add("blocks", lambda: [pace.describe(done, 9, "blocks") for done in (0, 4, 9)])
    out = io.StringIO()
    report = LineReporter(out=out)
    with report.stage("outer") as stage:
        for passed in (0.0, 14.9, 15.0, 15.1, 29.9, 30.0, 45.0):
            clock[0] = passed
            stage.progress(passed * 1e6, 50e6)
            stage.progress(passed * 1e6, 50e6, "blocks")
        clock[0] = 60.0
        stage.status("x")
        clock[0] = 75.0
        stage.status("x")
        stage.status("y\x1b[2J")
        with report.stage("inner") as inner:
            clock[0] = 100.0
            inner.progress(1.0)
            report.note("a note\x1b]0;x\x07")
    report.close()
    said.add("lines", lambda: out.getvalue())
    quiet = Reporter()
    with quiet.stage("a") as stage, quiet.stage("b"):
        stage.progress(1.0)
        stage.status("x")
        clock[0] += 0.12345
    quiet.note("x")
    said.add("timeline", lambda: quiet.timeline + report.timeline)
    said.compare("progress")


def test_errors(said: Text) -> None:
    kinds: list[Any] = [NitroError, *NitroError.__subclasses__()]
    for kind in kinds:
        if kind.__module__ == NitroError.__module__:
            for hint in (None, "do this"):
                error = kind("what", hint=hint)
                said.add(kind.__name__, lambda e: (e.exit_code, e.what, e.hint, str(e)), error)
    said.compare("errors")


def test_ports(said: Text) -> None:
    for text in (
        *(80, "80", "tcp:80", "udp:53", "1", "0", "00", "080", "65535", "65536", "99999", "100000"),
        *("", "udp:", "sctp:1", "TCP:1", " 80", "80 ", "-1", None, 8.0, "８０"),
    ):
        said.add(repr(text), ports.Port.parse, text)
    for text in (
        *("8080:80", "udp:5353:53", "tcp:1:65535", "65535:1", "65536:1", "1:65536", "0:1", "1:0"),
        *("80", "80:", "udp:80", "1:2:3", "x:1"),
    ):
        said.add(repr(text), ports.Forward.parse, text)
    mixed = [ports.Port("udp", 1), ports.Port("tcp", 9), ports.Port("tcp", 2)]
    said.add("documents", lambda: [(one.to_json(), str(one)) for one in sorted(mixed)])
    said.add("of TCP", ports.tcp_numbers, mixed)
    for name in ("x86_64", "amd64", "i386", "arm64"):
        said.add(name, lambda n: asdict(arch.named(n)), name)
        said.add(f"booting {name}", lambda n: arch.booting(n).ec2, name)
    said.add("registered", lambda: arch.REGISTERED)
    for text in (
        *("plain", "a\r\nb\r\r\nc\rd", "\x1b[31mred\x1b[0m", "\x9b2Jx", "\x1b]0;t\x07x"),
        *("\x1bPq\x1b\\x", "\x90q\x9cx", "\x1b(Bx", "\x1b#8x", "\x1b", "\x1b[", "\x1b]0;t"),
        *("a\tb\nc\x00", "\u202eabc", "\ud800", "é€"),
    ):
        said.add(ascii(text), lambda t: ascii(printable.printable(t)), text)
        said.add(f"{text!a} of one line", lambda t: ascii(printable.printable(t, keep="")), text)
    said.compare("ports")


def test_settings(said: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith("NITRO_") and "TRANSCRIPTS" not in name:
            monkeypatch.delenv(name)

    def load(**options: str | None) -> object:
        return config.load(inner, **options)

    said.add("nothing", load)
    said.add("options", load, cloud="aws", region="eu-west-1", bucket=None, profile="")
    said.add("a wrong option", load, cloud="moon")
    for text in (
        "",
        'region = "eu-west-1"\nallow = "0.0.0.0/0"',
        'cloud = "aws"\nprofile = "p"\nbucket = "b"\nsubnet = "s"',
        'record = "r"\ndebian_mirror = "d"',
        'cloud = "moon"',
        "cloud = 1",
        'origin = "x"',
        'file = "x"',
        'x = "y"',
        "=",
    ):
        (tmp_path / "nitro.toml").write_text(text)
        said.add(text[:60], load)
        said.add("  with an option", load, cloud="local", region="us-east-1")
    (tmp_path / "nitro.toml").write_bytes(b"\xff")
    said.add("no text", load)
    (tmp_path / "nitro.toml").write_text('cloud = "aws"\nregion = "eu-west-1"')
    (inner.parent / "nitro.toml").write_text('cloud = "local"')
    said.add("the nearest", load)
    (inner / "nitro.toml").mkdir()
    said.add("beside a folder", load)
    for name, value in {
        "CLOUD": "aws",
        "REGION": "us-west-2",
        "RECORD": "r",
        "PROFILE": "",
    }.items():
        monkeypatch.setenv(f"NITRO_{name}", value)
        said.add(f"NITRO_{name}", load)
        said.add("  with an option", load, cloud="local")
    monkeypatch.setenv("NITRO_CLOUD", "moon")
    said.add("a wrong environment", load)
    monkeypatch.delenv("NITRO_CLOUD")
    for owner, me, sudo in itertools.product((0, 5, 7, 9), (0, 5), ("", "7", "x")):
        if sudo:
            monkeypatch.setenv("SUDO_UID", sudo)
        else:
            monkeypatch.delenv("SUDO_UID", raising=False)
        with monkeypatch.context() as patch:
            patch.setattr("os.geteuid", lambda me=me: me)
            patch.setattr("os.fstat", lambda _, owner=owner: SimpleNamespace(st_uid=owner))
            said.add(f"file of {owner}, read by {me}, sudo {sudo}", lambda: load() and "read")
    said.compare("settings")


def test_files(said: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "file"
    whole.write_bytes(b"x" * 2048)
    (tmp_path / "link").symlink_to(whole)
    os.mkfifo(tmp_path / "fifo")
    for name in ("file", "link", "fifo", ".", "gone", "file/x"):
        said.add(f"check {name}", input_file.check, tmp_path / name)
    for largest in (2047, 2048, 2049):
        said.add(f"read at most {largest}", lambda n: len(input_file.read(whole, n)), largest)

    def written(path: Path, fail: bool = False) -> object:
        with replacing(path) as fresh:
            said.text += f"  {fresh.parent == path.parent} {fresh.name[:6]} {len(fresh.name)}\n"
            fresh.write_text("new")
            if fail:
                raise ValueError("no")
        return path.read_text(), path.is_symlink(), sorted(one.name for one in tmp_path.iterdir())

    for name in ("fresh", "file", "link"):
        said.add(f"written {name}", written, tmp_path / name)
        said.add(f"not written {name}", written, tmp_path / name, fail=True)
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
        for named in (None, "that"):

            def write(code: int = code, named: str | None = named) -> None:
                with space.writing(tmp_path):
                    raise OSError(code, "why", named)

            said.add(f"error {errno.errorcode[code]} of {named}", write)
        said.add("  is full", space.is_full, OSError(code, ""))
    for text in (
        *("no space LEFT on device", "Disk quota exceeded", "Wrote only 5 of 10 bytes", "No space"),
        *("Wrote only five of 10 bytes", ""),
    ):
        said.add(repr(text), space.says_full, text)
    said.add("full", lambda: repr(space.full(tmp_path).hint))
    free = {"cache": 3, "state": 2}
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(
        "nitro.space.disk_usage", lambda path: SimpleNamespace(free=free.get(path.name, 5))
    )
    said.add("the fullest", space.fullest)
    free["cache"] = 1
    said.add("the fullest", space.fullest)

    made: list[str] = []

    def make(path: Path) -> None:
        made.append(path.read_text())
        path.write_text("made")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "full")

    for maker in (fail, make, make):
        said.add("stored", lambda m: stored("kind", "key", m).read_text(), maker)
        inside = sorted((tmp_path / "cache" / "kind").iterdir())
        said.add("  inside", lambda found: [one.name for one in found], inside)
    said.add("times", lambda: len(made))
    said.compare("files")


def test_folders(said: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "plain").write_text("")
    for name in ("NITRO_CACHE", "NITRO_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    said.add("cache", paths.cache_dir)
    said.add("state", paths.state_dir)
    for name, value in {
        "XDG_CACHE_HOME": tmp_path / "xc",
        "XDG_STATE_HOME": tmp_path / "xs",
        "NITRO_CACHE": tmp_path / "nc" / "deep",
        "NITRO_STATE": tmp_path / "ns",
    }.items():
        monkeypatch.setenv(name, str(value))
        said.add(f"cache with {name}", paths.cache_dir)
        said.add(f"state with {name}", paths.state_dir)
    for place in (tmp_path / "plain", tmp_path / "plain" / "x"):
        monkeypatch.setenv("NITRO_CACHE", str(place))
        said.add(f"cache at {place.name}", paths.cache_dir)
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "package" / "nitro")
    said.add("beside", paths.resource, "amis")
    (tmp_path / "package" / "nitro" / "amis").mkdir(parents=True)
    said.add("inside", paths.resource, "amis")

    home = tmp_path / "c"
    monkeypatch.setenv("NITRO_CACHE", str(home))
    for name in ("builds/a/b", "builds-7/x", "builds-x/x", "others/x", "images"):
        (home / name).mkdir(parents=True)
    (home / "images" / "file").write_bytes(b"x" * 10_000)
    (home / "builds" / "a" / "b" / "f").write_bytes(b"x" * 5000)
    (home / "layers").write_text("no folder")
    (home / "images" / "link").symlink_to("file")

    def listed() -> list[object]:
        return [
            (one.kind, str(one.path.relative_to(home)), stat.S_ISDIR(one.path.lstat().st_mode))
            for one in cache.entries()
        ]

    def by_blocks() -> bool:
        return all(
            one.size_bytes
            == 512
            * sum(
                each.lstat().st_blocks
                for each in [one.path, *(() if one.path.is_symlink() else one.path.rglob("*"))]
            )
            for one in cache.entries()
        )

    said.add("entries", listed)
    said.add("sizes are those on the disk", by_blocks)
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    ages = [
        timedelta(minutes=59),
        timedelta(hours=1),
        timedelta(hours=1, seconds=1),
        timedelta(days=2),
    ]
    found = [cache.Entry("k", Path(str(age)), 1, now - age) for age in ages]
    for age in (timedelta(0), timedelta(hours=1), timedelta(days=2), timedelta(days=1)):
        said.add(f"unused {age}", lambda a: [str(e.path) for e in cache.unused(found, a, now)], age)
    pairs = (("c", "c"), ("c", "c/builds"), ("c/builds", "c"), ("c", "cc"))
    for folder, state in pairs:
        monkeypatch.setenv("NITRO_CACHE", str(tmp_path / folder))
        monkeypatch.setenv("NITRO_STATE", str(tmp_path / state))
        said.add(f"cache {folder}, state {state}", lambda: len(cache.entries()) > 0)
    monkeypatch.setenv("NITRO_CACHE", str(home))
    for one in cache.entries():
        removed = cache.Entry(one.kind, one.path, 0, one.used)
        old = cache.Entry(one.kind, one.path, 0, one.used - timedelta(seconds=1))
        said.add(
            f"remove {one.path.name}", lambda *e: [cache.remove(x) for x in e], old, removed, old
        )
    said.add("left", listed)
    said.compare("folders")


def test_budgets(said: Text, clock: list[float], tmp_path: Path) -> None:
    def read(size: int, seconds: float, *sizes: int) -> list[int]:
        clock[0] = 0.0
        one = budget.Budget(size, 10.0)
        clock[0] = seconds
        return [len(one.limit(io.BytesIO(b"x" * n)).read()) for n in sizes]

    for size, seconds, sizes in (
        *((10, 0.0, (10,)), (10, 0.0, (11,)), (10, 0.0, (5, 5)), (10, 0.0, (5, 6)), (0, 0.0, (0,))),
        *((10, 10.0, (1,)), (10, 10.1, (1,)), (10, 10.1, ())),
    ):
        said.add(f"{sizes} of {size} after {seconds} s", read, size, seconds, *sizes)
    path = tmp_path / "sparse"
    block = 1 << 16
    for title, size, parts in (
        ("nothing", 0, ()),
        ("a hole", 4 * block, ()),
        ("an end", 4 * block + 1, (4 * block,)),
        ("a start", 4 * block, (0,)),
        ("the middle", 4 * block, (2 * block - 1, 2 * block)),
        ("two", 6 * block, (block, 4 * block)),
    ):
        with path.open("wb") as file:
            file.truncate(size)
            for at in parts:
                file.seek(at)
                file.write(b"x")
        with path.open("rb") as opened:
            said.add(title, lambda f: list(sparse.data_blocks(f, block)), opened)
            said.add("  size", sparse.size_of, opened)
            last = [
                sparse.read_block(opened, n, block).count(b"x")
                for n in range(-(-size // block) + 1)
            ]
            said.add("  blocks", lambda found: found, last)
    said.compare("budgets")
