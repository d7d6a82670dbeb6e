"""Checks, sockets, users and deaths around the local Nitro, as transcripts."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.debian import mirror
from nitro.errors import NitroError
from nitro.local import broker, daemon, doctor, users, watch
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_checks_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    free = [1 << 40]
    problem: list[Any] = [None]
    done = [subprocess.CompletedProcess([], 0, "", "")]

    def archives() -> list[str]:
        if problem[0]:
            raise problem[0]
        return ["a", "b"]

    def opened(*_: Any) -> int:
        if problem[0]:
            raise OSError(errno.EACCES, "denied")
        return 9999

    with monkeypatch.context() as patch:
        patch.setattr(mirror, "archives", archives)
        patch.setattr(importlib.util, "find_spec", told.stand_in("spec", lambda _: free[0] > 99))
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
        patch.setattr(os, "open", told.stand_in("open", opened))
        patch.setattr(os, "close", told.stand_in("close"))
        for user in (0, 1000):
            patch.setattr(os, "geteuid", lambda user=user: user)
            for error in (None, NitroError("no archive"), NitroError("no archive", hint="h")):
                problem[0] = error
                for each in (doctor._debian, doctor.tap_devices):
                    told.outcome(each.__name__, each)
            for size in (0, 99, 2147483647, 2147483648, 5_000_000_000):
                free[0] = size
                told.outcome(f"{size} free", doctor._space)
                told.outcome("moto", doctor._moto)
            for code in (0, 1):
                done[0] = subprocess.CompletedProcess([], code, "out", " why \n")
                run = told.stand_in("run", lambda *_, **__: done[0])
                told.outcome(f"namespaces, {code}", doctor._namespaces, run)
    compare(HERE / "doctor.txt", told.text)


def test_sockets_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    fails: list[str] = []

    class Socket:
        def __init__(self, *kind: Any, fileno: int = -1) -> None:
            told.note(f"    socket {[int(each) for each in kind]} {fileno}")
            for name in ("setsockopt", "bind", "listen", "close"):
                setattr(self, name, told.stand_in(name, self._answer(name)))

        def _answer(self, name: str) -> Callable[..., None]:
            def call(*_: Any) -> None:
                if name in fails:
                    raise OSError(errno.EADDRINUSE, "in use")

            return call

        def fileno(self) -> int:
            return 55

        def __enter__(self) -> Socket:
            return self

        def __exit__(self, *_: object) -> None:
            told.note("    closed")

    requests: list[bytes] = []

    class Channel:
        recv = staticmethod(told.stand_in("recv", lambda _: requests.pop(0) if requests else b""))
        send = staticmethod(told.stand_in("send"))

    channel: Any = Channel()
    answers: list[Any] = []
    monkeypatch.setattr(socket, "socket", Socket)
    sent = told.stand_in("send_fds")
    monkeypatch.setattr(socket, "send_fds", lambda _, *rest: sent(*rest))
    got = told.stand_in("recv_fds", lambda *_: answers.pop(0))
    monkeypatch.setattr(socket, "recv_fds", lambda _, *rest: got(*rest))
    for kind in ("tcp", "udp"):
        for host in ("127.0.0.1", "127.255.255.255", "128.0.0.1", "126.255.255.255", "0.0.0.0"):
            requests.append(json.dumps({"kind": kind, "host": host, "port": 80}).encode())
            told.outcome(f"{kind} {host}", broker.serve, channel)
        for name in ("setsockopt", "bind", "listen"):
            fails[:] = [name]
            requests.append(json.dumps({"kind": kind, "host": "127.0.0.1", "port": 0}).encode())
            told.outcome(f"{kind}, {name} fails", broker.serve, channel)
        fails.clear()
    host_sockets = broker.HostSockets(channel)
    for answer in ((b"{}", [7], 0, None), (b"", [], 0, None), (b'{"errno": 98}', [], 0, None)):
        answers.append(answer)
        told.outcome(f"asks, {answer[0]!r}", host_sockets.open, "tcp", "127.0.0.1", 80)
    polled: list[list[tuple[int, int]]] = []

    class Poll:
        register = staticmethod(told.stand_in("register", lambda *_: None))

        def poll(self) -> list[tuple[int, int]]:
            told.note(f"    polls, {len(polled)} left")
            return polled.pop(0)

    monkeypatch.setattr(select, "poll", Poll)
    hup, gone = select.POLLHUP, select.POLLRDHUP
    for events in ([hup], [gone], [hup | gone], [select.POLLIN, hup], [0, select.POLLERR, gone]):
        polled[:] = [[], *([(5, event)] for event in events)]
        told.outcome(f"waits for the end, {events}", host_sockets.wait_gone)
    monkeypatch.undo()
    compare(HERE / "host-sockets.txt", told.text)


def test_deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    log = tmp_path / "log"

    class Process:
        def __init__(self, codes: list[Any], waits: list[Any]) -> None:
            self._codes, self._waits = codes, waits
            self.returncode: int | None = None
            self.wait = told.stand_in("wait", self._wait)

        def poll(self) -> Any:
            code = self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]
            self.returncode = code
            return code

        def _wait(self, _: float) -> int:
            found = self._waits.pop(0) if self._waits else 0
            if isinstance(found, Exception):
                raise found
            return int(found)

    def helper(name: str, codes: list[Any], waits: list[Any] | None = None) -> watch.Helper:
        process: Any = Process(codes, waits or [])
        return watch.Helper(name, process, log)

    for text in (None, "", "\n", "one\ntwo\n", "one\n \n", "no end"):
        if text is not None:
            log.write_text(text)
        for code in (None, 0, 1, -9, -64, -99):
            death = helper("it", [code]).death()
            told.note(f"{text!r} {code}: {death and death.what}; {death and death.hint}")
    log.write_bytes(b"\xff\n")
    death = helper("it", [1]).death()
    told.note(f"{death}")
    late = subprocess.TimeoutExpired("q", 1)
    scripts: tuple[tuple[str, list[Any], list[Any], list[list[Any]]], ...] = (
        ("off at once", [0], [], [[None]]),
        ("off later", [None, None, 0], [late], [[None]]),
        ("fails", [3], [], [[None], [None]]),
        ("fails with a helper", [3], [], [[None], [4]]),
        ("fails with one that ended well", [3], [], [[0]]),
        ("a helper dies", [None], [late], [[None], [5]]),
        ("a helper dies, then it ends", [None, 0], [0], [[5]]),
        ("a helper dies later", [None, None, None], [late, late], [[None, 6]]),
        ("without helpers", [None, 7], [late], []),
    )
    for what, codes, waits, others in scripts:
        machine = helper("QEMU", list(codes), list(waits))
        helpers = [helper(f"helper {n}", list(each)) for n, each in enumerate(others)]
        told.outcome(what, watch.wait_for_end, machine, iter(helpers), told.stand_in("look"))
    compare(HERE / "deaths.txt", told.text)


def test_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    busy: list[bool] = []

    def lock(_: Any, flags: int) -> None:
        told.note(f"    flock {flags}")
        if busy and flags & fcntl.LOCK_NB:
            raise BlockingIOError(errno.EAGAIN, "busy")

    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(secrets, "token_hex", told.stand_in("token_hex", lambda _: "ab"))
    monkeypatch.setattr(os, "getpid", lambda: 42)

    def enter(*more: Any) -> None:
        with users.gate(tmp_path, *more):
            told.note("    inside")

    for taken in ([], [True]):
        busy[:] = taken
        told.outcome(f"a gate, taken {bool(taken)}", enter, told.stand_in("waiting"))
        told.outcome("and nobody to tell", enter)
    busy.clear()
    told.outcome("nobody", users.processes, tmp_path)
    user = told.outcome("a user", users.User, tmp_path)
    told.outcome("the same again", users.User, tmp_path)
    told.note(f"{[path.name for path in (tmp_path / 'users').iterdir()]}")
    for name in ("7-x", "100-y", "9-z", "odd"):
        (tmp_path / "users" / name).touch()
    busy[:] = [True]
    told.outcome("all of them", users.processes, tmp_path)
    busy.clear()
    told.outcome("leave", user.leave)
    told.note(f"{sorted(path.name for path in (tmp_path / 'users').iterdir())}")
    told.outcome("leave again", user.leave)
    told.outcome("all are dead", users.processes, tmp_path)
    told.note(f"{sorted(path.name for path in (tmp_path / 'users').iterdir())}")
    for number in (0, 1, 1000):
        told.note(f"{number}: {daemon.isolation(number)}")
    assert signal.SIGTERM
    compare(HERE / "users.txt", told.text)
