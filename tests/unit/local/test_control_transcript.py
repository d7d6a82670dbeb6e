"""Starting, using and ending the local Nitro, step by step, as a transcript."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro import paths
from nitro.errors import NitroError
from nitro.local import control, programs, qemu, users
from nitro.local.nic import MAP_LLQ_FILE, OFFLOADS_FILE, SHAPES_FILE
from nitro.local.weather import Conditions
from nitro.progress import Reporter, Stage
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
ENDPOINT = {
    "url": "http://u",
    "guest_ca": "c",
    "region": "r",
    "access_key": "k",
    "secret_key": "s",
}


class World:
    """A machine on which a local Nitro may run, in a time of its own."""

    def __init__(self, told: Told, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.told, self.folder = told, folder / "local"
        self.pid = ""  # of who holds the lock
        self.now = 0.0
        self.users: list[int] = []
        self.later: dict[float, Any] = {}  # what happens at a time
        self.has_moto = True
        self.when_started: dict[float, Any] = {}
        self.code: int | None = None  # of the daemon
        patch.setattr(paths, "state_dir", lambda: folder)
        patch.setattr(fcntl, "flock", self.flock)
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(time, "sleep", self.sleep)
        patch.setattr(os, "kill", told.stand_in("kill", self.killed))
        patch.setattr(users, "gate", self.gate)
        patch.setattr(users, "processes", told.stand_in("processes", lambda _: list(self.users)))
        leave = told.stand_in("leave")
        user = told.stand_in("User", lambda _: SimpleNamespace(leave=leave))
        patch.setattr(users, "User", user)
        patch.setattr(programs, "find", told.stand_in("find programs"))
        patch.setattr(qemu, "end", told.stand_in("end"))
        patch.setattr(sys, "executable", "python")
        patch.setattr(subprocess, "Popen", self.popen)
        patch.setattr(importlib.util, "find_spec", lambda name: name if self.has_moto else None)
        self.dies = True

    def flock(self, _: Any, flags: int) -> None:
        if self.pid:
            raise BlockingIOError(11, "held")

    def sleep(self, seconds: float) -> None:
        self.now += 0.5
        for at in [at for at in self.later if at <= self.now]:
            self.later.pop(at)()

    def killed(self, *_: int) -> None:
        if self.dies:
            self.later[self.now + 1] = self.end

    def end(self) -> None:
        self.pid = ""
        (self.folder / "endpoint.json").unlink(missing_ok=True)

    def run(self, pid: str = "42", *, answers: bool = True) -> None:
        self.pid = pid
        self.folder.mkdir(exist_ok=True)
        (self.folder / "lock").write_text(pid)
        if answers:
            (self.folder / "endpoint.json").write_text(json.dumps(ENDPOINT))

    @contextmanager
    def gate(self, folder: Path, waiting: Any = None) -> Iterator[None]:
        self.told.note(f"    enters the gate, {'told' if waiting else 'not told'} to wait")
        if waiting:
            waiting("another is inside")
        yield
        self.told.note("    leaves the gate")

    def popen(self, line: list[str], **options: Any) -> Any:
        env = options.pop("env")
        self.told.stand_in("Popen")(line, **options)
        self.told.note(f"    {env['PYTHONPATH'].replace(str(paths.PACKAGE.parent), 'HERE')}")
        self.told.note(f"    {env.get('HOME') == os.environ.get('HOME')} {self.names()}")
        self.later |= {self.now + at: what for at, what in self.when_started.items()}
        world = self

        class Stdin:
            def write(self, data: bytes) -> None:
                world.told.note(f"    is told {data!r}")

            def __enter__(self) -> Stdin:
                return self

            def __exit__(self, *_: object) -> None:
                world.told.note("    is left alone")

        return SimpleNamespace(stdin=Stdin(), poll=lambda: self.code)

    def names(self) -> list[str]:
        return sorted(
            f"{path.name} {path.read_text()}".strip()
            for path in self.folder.iterdir()
            if path.name not in ("lock", "endpoint.json")
        )

    def clear(self) -> None:
        self.pid, self.users, self.later, self.code = "", [], {}, None
        self.when_started = {1.0: self.run}
        self.dies, self.now, self.has_moto = True, 0.0, True
        shutil.rmtree(self.folder, ignore_errors=True)


class Report(Reporter):
    """Notes stages and what they say."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        self._told.note(f"    stage {title}")
        said = Stage()
        said.status = lambda text: self._told.note(f"      {text}")  # type: ignore[method-assign]
        yield said


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return World(Told(tmp_path), tmp_path, monkeypatch)


def test_up_and_down(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, report = world.told, Report(world.told)
    stormy = Conditions(seed=1, throttled=0.5)

    def up(what: str, **options: Any) -> None:
        told.outcome(f"up, {what}", control.up, report, **options)
        told.note(f"    {world.names()}")

    world.clear()
    up("anew")
    up("once more")
    told.note(f"    {control.status()}".replace(str(world.folder), "FOLDER"))
    up("with settings", offloads="all", map_llq=True, shapes={"c5.large": "in=5M"})
    up("without them", offloads="profile")
    up("of no such offloads", offloads="none")
    up("in other weather", weather=stormy)
    told.outcome("down", control.down, report)
    told.outcome("down again", control.down, report)
    world.clear()
    up("in weather", weather=stormy)
    up("in the same", weather=stormy)
    up("in other", weather=Conditions())
    up("in any")
    monkeypatch.setenv("PYTHONPATH", "/more")
    for names in (
        (control.UNTIL_DOWN, control.WEATHER, OFFLOADS_FILE),
        (MAP_LLQ_FILE, SHAPES_FILE),
    ):
        world.clear()
        world.folder.mkdir()
        for name in names:
            (world.folder / name).write_text("old")
        up(f"with {names} of before")
    world.clear()
    world.has_moto = False
    up("without moto")
    world.clear()
    world.when_started = {}
    up("it never answers")
    world.clear()
    world.when_started = {0.6: lambda: setattr(world, "code", 1)}
    up("it ends")
    for log in ("", "one\n", "".join(f"line {n}\n" for n in range(7))):
        world.clear()

        def ends(log: str = log) -> None:
            (world.folder / "log").write_text(log)
            world.code = 1

        world.when_started = {0.6: ends}
        up(f"it ends and says {len(log)} bytes")
    world.clear()
    world.run(answers=False)
    world.later = {3.0: world.run}
    up("one is about to answer")
    world.clear()
    world.run(answers=False)
    world.later = {3.0: world.end}
    up("one is about to end")
    world.clear()
    world.run(answers=False)
    up("one does neither")
    world.clear()
    world.run(answers=False)
    world.later = {3.0: world.run}
    up("one is about to answer, in weather", weather=stormy)
    for force in (False, True):
        world.clear()
        world.run()
        (world.folder / control.UNTIL_DOWN).touch()
        world.users = [7, 9]
        world.later = {2.0: world.users.clear}
        told.outcome(f"down while it is used, force {force}", control.down, report, force=force)
        told.note(f"    {world.names()} {world.now}")
    world.clear()
    world.run()
    world.dies = False
    told.outcome("down, which it ignores", control.down, report)
    for pid in ("", "0"):
        world.clear()
        world.run()
        (world.folder / "lock").write_text(pid)
        told.note(f"    {pid!r}: {control.status().pid}")
    monkeypatch.undo()
    compare(HERE / "up-and-down.txt", told.text)


def test_sessions(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, report = world.told, Report(world.told)

    def use(*, stays: bool = False, others: bool = False, breaks: bool = False) -> Any:
        with control.session(report) as held:
            told.note(f"    uses {held} {held.endpoint.key}, {held.runs_until_down}")
            told.note(f"    {held.death()}")
            world.users = [3] if others else []
            if stays:
                held.keep()
                told.note(f"    {held.runs_until_down}")
            if breaks:
                world.end()
                death = held.death()
                raise death or NitroError("alive")

    for options in ({}, {"stays": True}, {"others": True}, {"breaks": True}):
        world.clear()
        told.outcome(f"a session, {options}", use, **options)
        told.note(f"    runs {bool(world.pid)} {world.names()}")
    world.clear()
    world.run()
    told.outcome("of one that runs", use)
    world.clear()
    world.run()
    (world.folder / control.UNTIL_DOWN).touch()
    told.outcome("of one that stays", use)
    told.note(f"    runs {bool(world.pid)} {oct(world.folder.stat().st_mode)[-3:]}")
    world.clear()
    world.when_started = {}
    told.outcome("of none", use)
    told.note(f"{control.Endpoint(**ENDPOINT)!r}")
    monkeypatch.undo()
    compare(HERE / "sessions.txt", told.text)
