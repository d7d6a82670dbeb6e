"""Options of a served card, shapes and profiles by name, and the loop's library, as transcripts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.ena import __main__ as program
from nitro.ena import explain as explaining
from nitro.ena import profiles, serve, shape
from nitro.ena.native import build
from nitro.ena.native import loop as loops
from nitro.ena.profiles.profile import Profile
from nitro.errors import InputError, NitroError
from tests.transcripts import compare
from tests.unit.local.told import Told, shown

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
DEFAULTS = {one.name: one.default for one in fields(Profile)}


@pytest.fixture(autouse=True)
def loop() -> None:
    """Each test says which loop there is."""


def differing(card: Profile) -> dict[str, Any]:
    return {
        name: getattr(card, name)
        for name, default in DEFAULTS.items()
        if getattr(card, name) != default and name != "note"
    }


def test_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    run: list[Any] = [lambda: None]
    close = told.stand_in("close cable")

    class Server:
        def __init__(self, socket: Path, card: Profile, address: bytes, *rest: Any, **more: Any):
            tracer = more.pop("trace")
            report = more.pop("report")
            told.note(
                f"    Server {socket} {differing(card)} {address.hex()} {shown(rest)} {shown(more)}"
            )
            told.note(f"    traced {tracer is not None}")
            if tracer:
                tracer.event("x")
                tracer.frame("in", [b"frame"])
            report("a line\x1b")
            self.watched: list[Any] = []
            self.close = told.stand_in("close server")

        def run(self, *, once: bool) -> None:
            told.note(f"    runs, once {once}, watches {len(self.watched)}")
            run[0]()

    monkeypatch.setattr(serve, "Server", Server)
    cable = SimpleNamespace(close=close)
    opened = told.stand_in("open port", lambda *_: cable)
    monkeypatch.setattr(serve, "open_port", opened)
    monkeypatch.setattr(serve, "choose", lambda: "the loop")
    said: list[str] = []

    def printed(*line: Any, **options: Any) -> None:
        said.append(f"{line} {sorted(options)}")

    monkeypatch.setattr(serve, "print", printed, raising=False)
    monkeypatch.setattr(serve, "default_mac", lambda path: path.name.encode()[:6])
    card = tmp_path / "socket"

    def go(what: str, **options: Any) -> None:
        told.outcome(what, serve.serve, card, port="unix:x", **options)
        told.note(f"    {said}")
        said.clear()

    go("plain")
    for profile in ("c5", "c6in.large", "minimal", "gen8", "none", "hostile:link-flap@7"):
        go(profile, profile=profile, report=lambda line: told.note(f"    told {line}"))
    for queues in (0, 1, 8, 128, 129, -1):
        go(f"{queues} queues", queues=queues)
    for profile in ("c5", "gen8", "minimal"):
        for map_llq in (False, True):
            go(f"{profile} without LLQ", profile=profile, llq=False, map_llq=map_llq)
        go(f"{profile} mapped", profile=profile, map_llq=True)
    for offloads in ("profile", "all", "none"):
        go(f"offloads {offloads}", offloads=offloads)
    go("a shape", shape="in=5M,packets=7")
    go("no shape", shape="")
    go("a bad shape", shape="x")
    go("a MAC", mac="02:00:00:00:00:01")
    go("a bad MAC", mac="x")
    go("strict", strict=True, once=True)
    go("a trace", trace=tmp_path / "trace")
    told.note(f"    {(tmp_path / 'trace').stat().st_size > 20}")
    told.note(f"    {(tmp_path / 'trace.pcapng').stat().st_size}")
    go("a trace that cannot be", trace=tmp_path / "none" / "trace")
    go("a control socket", control=tmp_path / "control")
    told.note(f"    {(tmp_path / 'control').exists()}")
    go("a control socket that cannot be", control=tmp_path / "none" / "control")
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    for number in (signal.SIGTERM, signal.SIGINT):
        run[0] = lambda number=number: signal.raise_signal(number)
        go(f"ended by {number.name}")
    run[0] = lambda: (_ for _ in ()).throw(ValueError("odd"))
    go("ended by a fault")
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    told.note(f"{before == after}")
    for text in (
        *("02:00:00:00:00:01", "02-00-00-00-00-01", "020000000001", "03:00:00:00:00:01", ""),
        *("02:00:00:00:00", "02:00:00:00:00:01:02", "fe:ff:ff:ff:ff:ff", "0x:00:00:00:00:01"),
    ):
        told.outcome(f"MAC {text!r}", serve.parse_mac, text)
    monkeypatch.undo()
    told.note(
        f"{serve.default_mac(Path('/a/b')).hex()} {serve.default_mac(Path('/a/../a/b')).hex()}"
    )
    compare(HERE / "serving.txt", told.text)


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    error: list[Any] = [None]

    def served(*_: Any, **__: Any) -> None:
        if error[0]:
            raise error[0]

    monkeypatch.setattr(serve, "serve", told.stand_in("serve", served))
    monkeypatch.setattr(explaining, "explain", told.stand_in("explain", lambda _: ["a\x1b", "b"]))

    def run(*words: str) -> None:
        told.note(f"{words}")
        try:
            told.note(f"    → {program.main(list(words))}")
        except SystemExit as ended:
            told.note(f"    exits {ended.code}")
        out, err = capsys.readouterr()
        told.note(f"    {out!r} {err.splitlines()[-1:]}".replace("'", ""))

    base = ("serve", "--socket", "s", "--port", "p")
    run(*base)
    for option, value in (
        *(("--profile", "c6in"), ("--mac", "m"), ("--queues", "3"), ("--offloads", "all")),
        *(("--shape", "in=1"), ("--trace", "t"), ("--control", "c")),
    ):
        run(*base, option, value)
    for option in ("--no-llq", "--map-llq", "--strict", "--once"):
        run(*base, option)
    for words in (
        (),
        ("serve",),
        base[:3],
        ("serve", "--port", "p"),
        (*base, "--queues", "x"),
        ("x",),
    ):
        run(*words)
    run("explain", "t")
    run("explain")
    for error[0] in (NitroError("no\x1b", hint="h"), InputError("bad"), BrokenPipeError()):
        stderr = sys.stderr
        with monkeypatch.context() as patch:
            if isinstance(error[0], BrokenPipeError):
                patch.setattr(sys, "stderr", SimpleNamespace(close=told.stand_in("close stderr")))
            run(*base)
        assert sys.stderr is stderr
    for command in ([], ["serve"], ["explain"]):
        with pytest.raises(SystemExit):
            program.main([*command, "--help"])
        text = re.sub(r"\s+", " ", capsys.readouterr().out)
        told.note(f"{command}: {text}")
    compare(HERE / "command-line.txt", told.text)


def test_names(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for name in (
        *("c5", "c6in", "gen8", "graviton", "minimal", "strict-firmware", "t4g", "", "C5", "c5x"),
        *("c5.large", "c6in.large", "m8g.large", "m8gn.large", "c6gn.large", "c7g.large", "a1.x"),
        *("t4g.micro", "r4.large", "m4.x", "i3.x", "x1.x", "x1e.x", "x1ef.x", "p2.x", "p4.x"),
        *("g3.x", "g3s.x", "h1.x", "f1.x", "m5n.x", "m5dn.x", "m7i-flex.large", "m8i-flex.large"),
        *(
            "c7gn.x",
            "c8gn.x",
            "u7i-12tb.x",
            ".large",
            "c5.",
            "odd.x",
            "t2.micro",
            "m1g.x",
            "t4gx.x",
        ),
        *("hostile:", "hostile:link-flap", "hostile:link-flap,fatal-error", "hostile:any"),
        *("hostile:any@5", "hostile:link-flap@", "hostile:link-flap@x", "hostile:link-flap@-1"),
        *("hostile:none", "hostile:link-flap,none@1", "hostile:link-flap@1@2"),
    ):
        told.note(name)
        try:
            card = profiles.find(name)
        except InputError as error:
            told.note(f"    {error.what}; {error.hint}")
        else:
            told.note(f"    {card.name} {card.fault_seed} {card.faults[:3]} {len(card.faults)}")
    for card in profiles.PROFILES.values():
        told.note(f"{differing(profiles.with_all_offloads(card))}")
    for text in (
        *("in=1", "in=0", "in=0.999", "in=1.5K", "in=1.2345", "out=2M", "packets=3G", "in=1,out=2"),
        *("in=1,in=2", "in", "in=", "=1", "", ",", "in=1,", "in=x", "in=-1", "in=1k", "in=1T"),
        *("uncounted", "in=1,uncounted", "uncounted,in=1", "uncounted,uncounted,in=1", "all=1"),
        *("in=999999999999", "in=1000000000000", "in=1.", "in=.5", "in=1 ", "in=0,out=5"),
        "in=5M,out=6M,packets=7K",
    ):
        told.outcome(f"shape {text!r}", shape.parse, text)
    compare(HERE / "names.txt", told.text)


def test_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    have: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", told.stand_in("which", have.get))
    for names in ((), ("clang",), ("gcc", "clang"), ("cc", "gcc")):
        have.clear()
        have.update({name: f"/bin/{name}" for name in names})
        told.outcome(f"{names}", build.find_compiler)
    compiler = tmp_path / "cc"
    compiler.write_text("x")
    have["cc"] = str(compiler)
    fails: list[Exception] = []

    def run(command: Any, **options: Any) -> None:
        words = [Path(word).name if "native" in word else word for word in command]
        target = words.pop()
        told.note(f"    run {words} {target.startswith(str(tmp_path))} {options}")
        if fails:
            raise fails[0]
        Path(target).write_text("library")

    monkeypatch.setattr(subprocess, "run", run)
    for error in (
        *(OSError(2, "no"), NitroError("full"), subprocess.CalledProcessError(1, "cc")),
        *(subprocess.TimeoutExpired("cc", 1), ValueError("odd")),
    ):
        fails[:] = [error]
        told.outcome(f"{type(error).__name__}", build.library)
    fails.clear()
    first = build.library()
    assert first
    told.note(f"{first.stat().st_mode & 0o777:o} {first.parent.name} {build.library() == first}")
    keys = {first.name}
    for content, stamp in (("x", 5), ("xy", 5), ("x", 6)):
        compiler.write_text(content)
        os.utime(compiler, ns=(stamp, stamp))
        found = build.library()
        assert found
        told.note(f"{content} {stamp}: new {found.name not in keys} {len(found.name)}")
        keys.add(found.name)
    other = tmp_path / "other"
    other.write_text("x")
    os.utime(other, ns=(6, 6))
    have["cc"] = str(other)
    found = build.library()
    assert found
    told.note(f"another compiler: new {found.name not in keys}")
    (tmp_path / "link").symlink_to(other)
    have["cc"] = str(tmp_path / "link")
    told.note(f"a link to it: new {build.library() != found}")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "byteorder", "big")
        told.outcome("big endian", build.library)
    with monkeypatch.context() as patch:
        patch.setattr(struct, "calcsize", lambda _: 4)
        told.outcome("32 bits", build.library)
    for value in (None, "", "auto", "native", "python", "x"):
        for loaded in ("a loop", None):
            monkeypatch.setattr(loops, "load", lambda loaded=loaded: loaded)
            if value is None:
                monkeypatch.delenv(loops.VARIABLE, raising=False)
            else:
                monkeypatch.setenv(loops.VARIABLE, value)
            told.outcome(f"{value!r}, {loaded}", loops.choose)
    compare(HERE / "libraries.txt", told.text)
