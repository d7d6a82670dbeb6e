"""Relayed connections, and consoles on terminals, as transcripts."""

from __future__ import annotations

import errno
import fcntl
import os
import selectors
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.local import attach, relay, syn
from nitro.local.hypervisor import PortRange
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


class Threads:
    """In place of `threading`: what threads are to do is noted, and done when the test says."""

    Event, Lock = threading.Event, threading.Lock

    def __init__(self, told: Told, *, at_once: bool = False) -> None:
        self.told, self.at_once = told, at_once
        self.waiting: list[Callable[[], None]] = []

    def BoundedSemaphore(self, count: int) -> Any:  # noqa: N802 - the library's name
        self.told.note(f"    room for {count}")
        acquire, release = self.told.stand_in("acquire"), self.told.stand_in("release")
        return SimpleNamespace(acquire=acquire, release=release)

    def Thread(self, target: Any, args: Any = (), **more: Any) -> Any:  # noqa: N802
        name = target.__name__
        self.told.note(f"    thread {name} of {len(args)}, {more}")

        def start() -> None:
            self.told.note(f"    {name} starts")
            if self.at_once:
                target(*args)
            else:
                self.waiting.append(lambda: target(*args))

        return SimpleNamespace(start=start, join=self.told.stand_in(f"join {name}"))


class Socket:
    """A socket that notes all, and answers from a script by method."""

    def __init__(self, told: Told, name: str, **script: list[Any]) -> None:
        self._told, self._name, self._script = told, name, script

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)

        def answer(*_: Any, **__: Any) -> Any:
            left = self._script.get(method, [])
            ended = OSError(errno.EBADF, "ended") if method == "recv" else None
            found = left.pop(0) if left else ended
            if isinstance(found, Exception):
                raise found
            return found

        return self._told.stand_in(f"{self._name}.{method}", answer)

    def fileno(self) -> int:
        return sum(self._name.encode())

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._told.note(f"    {self._name} closed")


def test_relays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    threads = Threads(told)
    monkeypatch.setattr(relay, "threading", threads)
    monkeypatch.setattr(relay.log, "warning", told.stand_in("warning"))
    opened: list[Any] = []
    host: Any = SimpleNamespace(open=told.stand_in("open", lambda *_: opened.pop(0)))
    answers = [True]
    asked = told.stand_in("answers", lambda *_: answers.pop(0) if answers else True)
    made = relay.Relay(host, "127.0.0.9", "10.0.0.4", asked)
    told.note(f"    {relay.Relay(host, 'a', 'b').answers is syn.listens}")

    def permit(*ranges: PortRange) -> None:
        told.outcome(
            f"permit {[(r.protocol, r.first, r.last) for r in ranges]}", made.permit, ranges
        )
        found = sorted((*key, type(each).__name__) for key, each in made._ports.items())
        told.note(f"    {found}")

    permit(PortRange("tcp", 80, 80))
    permit(PortRange("tcp", 80, 80))
    permit(PortRange("tcp", 80, 80), PortRange("udp", 53, 53))
    permit(PortRange("udp", 53, 53))
    told.outcome("close", made.close)
    threads.waiting.clear()
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    gone = OSError(errno.EBADF, "closed")
    for what, guest, looks, accepts in (
        ("a client", Socket(told, "guest"), [True], [(Socket(told, "client"), ("a", 1)), gone]),
        ("later", Socket(told, "guest"), [False] * 3 + [True], [(Socket(told, "client"), 1), gone]),
        ("refused", refused, [True], [(Socket(told, "client"), ("a", 1)), gone]),
        ("late", TimeoutError("late"), [True], [(Socket(told, "client"), ("a", 1)), gone]),
    ):
        answers[:] = looks
        opened[:] = [Socket(told, "listener", accept=list(accepts))]

        def connect(*_: Any, guest: Any = guest, **__: Any) -> Any:
            if isinstance(guest, Exception):
                raise guest
            return guest

        monkeypatch.setattr(socket, "create_connection", told.stand_in("connect", connect))
        spliced = told.stand_in("splice")
        spliced.__name__ = "splice"
        monkeypatch.setattr(relay, "_splice", spliced)
        told.note(what)
        permit(PortRange("tcp", 80, 80))
        port: Any = made._ports["tcp", 80]
        pauses = told.stand_in("wait", lambda *_: False)
        port.closed = SimpleNamespace(wait=pauses, is_set=lambda: False, set=lambda: None)
        while threads.waiting:
            threads.waiting.pop(0)()
        told.outcome("close", made.close)
    told.note("closed while nothing listens")
    permit(PortRange("tcp", 80, 80))
    port = made._ports["tcp", 80]
    port.closed = SimpleNamespace(wait=told.stand_in("wait", lambda *_: True), set=lambda: None)
    answers[:] = [False]
    threads.waiting.pop(0)()
    told.outcome("close", made.close)
    told.note("closed when it is opened")
    permit(PortRange("tcp", 80, 80))
    made._ports["tcp", 80].closed.set()
    answers[:], opened[:] = [True], [Socket(told, "listener")]
    threads.waiting.pop(0)()
    told.outcome("close", made.close)
    answers[:] = [False] * 60
    told.note("pauses grow")
    permit(PortRange("tcp", 80, 80))
    pauses_made: list[float] = []
    port = made._ports["tcp", 80]

    def paused(seconds: float) -> bool:
        pauses_made.append(round(seconds, 4))
        return len(pauses_made) > 40

    port.closed = SimpleNamespace(wait=paused, is_set=lambda: True, set=lambda: None)
    threads.waiting.pop(0)()
    told.note(f"    {pauses_made[:3]} {pauses_made[-12:]}")
    compare(HERE / "relays.txt", told.text)


def test_datagrams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    threads = Threads(told)
    monkeypatch.setattr(relay, "threading", threads)
    monkeypatch.setattr(relay, "MAX_CONNECTIONS", 2)
    opened: list[Any] = []
    host: Any = SimpleNamespace(open=told.stand_in("open", lambda *_: opened.pop(0)))
    guests = iter(range(1, 99))
    scripts: dict[int, dict[str, list[Any]]] = {}

    def make(*kind: Any) -> Any:
        number = next(guests)
        told.note(f"    socket {tuple(map(int, kind))}")
        return Socket(told, f"guest{number}", **scripts.get(number, {}))

    monkeypatch.setattr(socket, "socket", make)
    gone = OSError(errno.EBADF, "closed")
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    scripts[1] = {"send": [3, refused], "recv": [b"back", gone]}
    made = relay.Relay(host, "127.0.0.9", "10.0.0.4", lambda *_: True)
    a, b, c = ("a", 1), ("b", 2), ("c", 3)
    came = [(b"one", a), (b"two", a), (b"three", a), (b"four", b), (b"five", c), (b"six", a), gone]
    opened[:] = [Socket(told, "outside", recvfrom=list(came))]
    told.outcome("permit", made.permit, [PortRange("udp", 53, 53)])
    for _ in range(6):
        if threads.waiting:
            threads.waiting.pop(0)()
    told.outcome("close", made.close)
    compare(HERE / "datagrams.txt", told.text)


def test_splices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    moves: list[Any] = []

    def splice(*_: Any) -> int:
        found = moves.pop(0)
        if isinstance(found, Exception):
            raise found
        return int(found)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe", told.stand_in("pipe", lambda: (1001, 1002)))
        patch.setattr(fcntl, "fcntl", told.stand_in("fcntl"))
        patch.setattr(os, "splice", told.stand_in("splice", splice))
        patch.setattr(os, "close", told.stand_in("close"))
        reset = ConnectionResetError(errno.ECONNRESET, "reset")
        for what, script in (
            ("nothing", [0]),
            ("one piece", [5, 5, 0]),
            ("in parts", [5, 2, 2, 1, 7, 7, 0]),
            ("the source is reset", [5, 5, reset]),
            ("the target is reset", [5, 2, reset]),
        ):
            for fails in ([], [OSError(errno.ENOTCONN, "not connected")]):
                moves[:] = list(script)
                source: Any = Socket(told, "source", shutdown=list(fails))
                target: Any = Socket(told, "target", shutdown=list(fails))
                told.outcome(f"{what}, {len(fails)} ends gone", relay._splice, source, target)
    compare(HERE / "splices.txt", told.text)


def test_consoles_on_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    now = [0.0]
    steps: list[Any] = []
    machine, keys, screen, stdin = 21, 22, 23, 24
    pending: dict[int, bytes] = {}
    refuses = [False]

    class Selector:
        def __enter__(self) -> Selector:
            return self

        def __exit__(self, *_: object) -> None:
            told.note("    selector closed")

        def register(self, who: Any, events: int) -> None:
            told.note(f"    register {who if isinstance(who, int) else 'stdout'} {events}")
            if refuses[0] and who == keys:
                raise PermissionError(errno.EPERM, "a plain file")

        def unregister(self, who: int) -> None:
            told.note(f"    unregister {who}")

        def select(self, timeout: float | None) -> list[Any]:
            told.note(f"    select {timeout}")
            found = steps.pop(0) if steps else [(machine, b"")]
            now[0] += 1.0
            pending.update(found)
            return [(SimpleNamespace(fd=fd), 1) for fd, _ in found]

    def write(fd: int, data: Any) -> int:
        told.note(f"    write {fd} {bytes(data)!r}")
        return min(4, len(data))

    with monkeypatch.context() as patch:
        patch.setattr(selectors, "DefaultSelector", Selector)
        patch.setattr(os, "read", told.stand_in("read", lambda fd, _: pending.pop(fd)))
        patch.setattr(os, "write", write)
        patch.setattr(time, "monotonic", lambda: now[0])
        for name in ("tcgetattr", "tcsetattr"):
            patch.setattr(termios, name, told.stand_in(name, lambda *_: ["before"]))
        patch.setattr(tty, "setraw", told.stand_in("setraw"))
        process: Any = SimpleNamespace(
            stdin=SimpleNamespace(fileno=lambda: stdin),
            stdout=SimpleNamespace(fileno=lambda: machine),
        )
        scripts: dict[str, list[Any]] = {
            "nothing": [],
            "output": [[(machine, b"one\ntwo")], [(machine, b"\nthree\n")]],
            "keys": [[(keys, b"abcdef")], [(keys, b"")], [(machine, b"x")]],
            "leaving": [[(machine, b"x")], [(keys, b"ab\x1dcd")]],
            "both": [[(machine, b"x"), (keys, b"y")]],
            "enough": [
                [(machine, b'\n"nitro" done\n')],
                [(machine, b"more\n")],
                [(machine, b"2\n")],
            ],
            "enough in pieces": [[(machine, b'a\n"nitro"')], [(machine, b" done\n")], []],
            "not enough": [[(machine, b'"nitro" other\n')], [(machine, b"done\n")]],
            "a panic": [[(machine, b"Kernel panic done")], [(machine, b"\n")], []],
            "a bug": [[(machine, b"kernel BUG done\n")], [(machine, b'"nitro" done\n')], []],
            "no mark": [[(machine, b"done\n")]],
        }
        for terminal in (True, False):
            refuses[0] = not terminal
            patch.setattr(os, "isatty", told.stand_in("isatty", lambda _, t=terminal: t))
            for what, script in scripts.items():
                for settle in (0, 1.5) if "enough" in what or "a " in what else (0,):
                    steps[:] = list(script)
                    seen: list[bytes] = []

                    def enough(written: bytes, seen: list[bytes] = seen) -> bool:
                        seen.append(written)
                        return b"done" in written

                    given = (process, keys, screen)
                    name = f"{what}, settles {settle}"
                    told.outcome(name, attach.attach, *given, enough=enough, settle=settle)
                    told.note(f"    looked at {seen}")
        steps[:] = [[(machine, b'"nitro" done\n')]]
        told.outcome("without a judge", attach.attach, process, keys, screen)
    compare(HERE / "terminals.txt", told.text)
