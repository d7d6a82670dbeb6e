"""Attempts as processes, and the thread that looks at them, as transcripts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.local.batch import runner, scheduler
from nitro.local.batch.jobs import Attempt, Dependency, Job, Rule, Task, fits
from nitro.local.batch.resources import Resources
from nitro.local.batch.runner import ProcessRunner
from nitro.local.batch.scheduler import Scheduler
from tests.transcripts import compare
from tests.unit.local.batch.fake import FakeRunner
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parents[1] / "transcripts"


def test_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    codes: list[int | None] = [None]
    fails: list[Exception] = []

    def started(*_: Any, **__: Any) -> Any:
        if fails:
            raise fails[0]
        return SimpleNamespace(pid=4711, poll=lambda: codes[0])

    def killed(*_: Any) -> None:
        if fails:
            raise fails[0]

    class Timer:
        daemon = False

        def __init__(self, *given: Any) -> None:
            told.stand_in("Timer")(*given)
            self._then = lambda: given[1](*given[2])

        def start(self) -> None:
            told.note(f"    starts, daemon {self.daemon}")
            self._then()

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", told.stand_in("Popen", started))
        patch.setattr(os, "killpg", told.stand_in("killpg", killed))
        patch.setattr(threading, "Timer", Timer)
        patch.setattr(sys, "executable", "/venv/bin/python")
        made = ProcessRunner(tmp_path / "jobs", {"AWS_ENDPOINT_URL": "http://e", "A": "all"})
        for variables in ({"PATH": "/bin", "HOME": "/home/me", "OTHER": "x"}, {}):
            for name in ("PATH", "HOME", "OTHER"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            told.note(f"{variables}")
            process = told.outcome(
                "start", made.start, "job-1", ["x", "y"], {"A": "own", "B": "b"}, "eu-west-1"
            )
        told.note(f"    {process.pid} {sorted(p.name for p in (tmp_path / 'jobs').rglob('*'))}")
        for code in (None, 0, 1, 255, -9, -15):
            codes[0] = code
            told.note(f"{code}: {process.poll()}")
            told.outcome("end", process.end)
        codes[0] = None
        for error in (ProcessLookupError(), PermissionError()):
            fails[:] = [error]
            told.outcome(f"end, {error!r}", process.end)
        fails[:] = [FileNotFoundError(2, "no x")]
        told.outcome("no program", made.start, "job-2", ["x"], {}, "r")
    assert runner.GRACE > 0
    compare(HERE / "batch-processes.txt", told.text)


def job(name: str, **more: Any) -> Job:
    task = Task(("x",), {}, "image", **more.pop("task", {}))
    return Job(
        **{
            **{"id": name, "arn": f"arn:{name}", "name": name, "queue": "q", "definition": "d"},
            **{"task": task, "depends_on": (), "created": 0},
            **more,
        }
    )


def test_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    now = [100.0]
    later: list[Any] = []
    jobs = FakeRunner()
    made = Scheduler(jobs, "eu-west-1", lambda _: {"ce": 2}, lambda: now[0])
    threads: list[Any] = []

    def thread(target: Any, **more: Any) -> Any:
        told.note(f"    thread {target.__name__} {more}")
        threads.append(target)
        return SimpleNamespace(start=lambda: told.note("    starts"))

    def slept(seconds: float) -> None:
        now[0] += 1
        states = [(one.id, one.status, one.reason) for one in made.all() if not one.done]
        told.note(f"    {states}")
        if later:
            later.pop(0)()

    monkeypatch.setattr(scheduler.threading, "Thread", thread)  # type: ignore[attr-defined]
    monkeypatch.setattr(time, "sleep", told.stand_in("sleep", slept))

    def behind(name: str, other: str) -> Job:
        return job(name, depends_on=(Dependency(other),))

    def end(name: str, code: int) -> Any:
        def act() -> None:
            for one in jobs.running:
                if one.name.startswith(name):
                    one.code = code

        return act

    for what, given, script in (
        ("nothing", [], []),
        ("one", [job("a")], [end("a", 0)]),
        ("two at once", [job("b"), job("c")], [end("b", 0), end("c", 1)]),
        ("more than fit", [job(n) for n in "def"], [end("d", 0), end("e", 0), end("f", 0)]),
        (
            "one that waits",
            [job("g"), job("h", depends_on=(Dependency("g"),))],
            [end("g", 0), end("h", 0)],
        ),
        (
            "one whose dependency fails",
            [
                job("i"),
                job("j", depends_on=(Dependency("i"),)),
                job("k", depends_on=(Dependency("j"),)),
            ],
            [end("i", 3)],
        ),
        ("of no job", [job("l", depends_on=(Dependency("none"),))], []),
        ("again", [job("m", task={"attempts": 3})], [end("m", 1), end("m", 1), end("m", 1)]),
        (
            "as rules say",
            [job("n", task={"attempts": 5, "rules": (Rule("retry", "1*"), Rule("exit", "*"))})],
            [end("n", 1), end("n", 12), end("n", 2)],
        ),
        ("too long", [job("o", task={"seconds": 2})], [lambda: None] * 4 + [end("o", 143)]),
        ("just long enough", [job("p", task={"seconds": 3})], [lambda: None] * 2 + [end("p", 0)]),
        ("too large", [job("r", task={"vcpus": 3}), job("s")], [end("s", 0), made.close]),
        ("ended", [job("t")], [lambda: made.terminate(made.all()[-1], "why"), end("t", 143)]),
        ("cancelled", [job("u")], [lambda: made.cancel(made.all()[-1], "why"), end("u", 0)]),
    ):
        for one in given:
            told.outcome(f"{what}: {one.id}", made.add, one)
        later[:] = list(script)
        told.outcome("watch", made.watch)
        told.outcome("watch again", made.watch)
        while threads:
            told.outcome("runs", threads.pop(0))
        for one in given:
            told.note(f"    {one.id} {one.status} {one.reason!r} {one.attempts}")
            told.note(
                f"    {one.started} {one.stopped} {one.done} {one.again if one.attempts else ''}"
            )
        told.note(f"    held {dict(made._held)} {made._places}")
    for pattern, text in (("1", "1"), ("1", "11"), ("1*", "11"), ("*", ""), ("", ""), ("1*2", "1")):
        told.note(f"{pattern!r} {text!r}: {fits(pattern, text)}")
    assert Attempt(0).stopped is None
    monkeypatch.undo()
    compare(HERE / "batch-thread.txt", told.text)


def test_rooms(tmp_path: Path) -> None:
    told = Told(tmp_path)
    made = Resources("arn:aws:batch:eu-west-1:1")
    environments: tuple[tuple[str, dict[str, Any]], ...] = (
        ("a", {"computeResources": {"maxvCpus": 2}}),
        ("b", {"computeResources": {}}),
        ("c", {"state": "DISABLED", "computeResources": {"maxvCpus": 0}}),
        ("d", {}),
        ("a", {}),
    )
    for name, more in environments:
        given: dict[str, Any] = {"computeEnvironmentName": name, "type": "MANAGED", **more}
        told.outcome(f"environment {name}", made.create_environment, given)
    queues: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("q", "ab", {}),
        ("r", "ba", {"state": "DISABLED"}),
        ("s", "c", {}),
        ("t", "cdb", {}),
        ("u", "", {}),
        ("v", "x", {}),
        ("q", "a", {}),
    )
    for name, of, more in queues:
        order = [{"order": 9 - n, "computeEnvironment": one} for n, one in enumerate(of)]
        given = {"jobQueueName": name, "priority": 1, "computeEnvironmentOrder": order, **more}
        told.outcome(f"queue {name} of {of!r}", made.create_queue, given)
    for name in ("q", "r", "s", "t", "u", "none", ""):
        told.outcome(f"room of {name!r}", made.room, name)
    for name in ("a", "c", "none", f"{made.arn}:compute-environment/c"):
        told.outcome(f"delete environment {name}", made.delete_environment, name)
    changes: tuple[dict[str, Any], ...]
    changes = ({}, {"state": "DISABLED"}, {"priority": 7}, {"computeEnvironmentOrder": []})
    for change in changes:
        told.outcome(f"update {change}", made.update_queue, {"jobQueue": "s", **change})
    for name in ("q", "s", "none", f"{made.arn}:job-queue/s"):
        told.outcome(f"delete queue {name}", made.delete_queue, name)
    told.outcome("delete environment c", made.delete_environment, "c")
    for kind, properties in (
        ("container", {"image": "i"}),
        ("container", {}),
        ("container", None),
        ("multinode", {"image": "i"}),
        ("container", {"image": "i"}),
    ):
        given = {"jobDefinitionName": "d", "type": kind}
        given |= {"containerProperties": properties} if properties is not None else {}
        told.outcome(f"definition {kind} {properties}", made.register, given)
    names = ("d", "d:1", "d:2", "d:3", "x", "d:", f"{made.arn}:job-definition/d:1")
    for inactive in (None, 2, 1):
        if inactive:
            made.definitions["d"][inactive - 1]["status"] = "INACTIVE"
        for name in names:
            told.outcome(f"definition {name}", made.definition, name)
    compare(HERE / "batch-rooms.txt", told.text)
