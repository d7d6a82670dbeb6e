"""The daemon's outer half, as a transcript."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro import cache
from nitro.errors import NitroError
from nitro.local import broker, daemon, programs
from nitro.local.weather import Conditions
from tests.transcripts import compare
from tests.unit.local.test_relay_transcript import Socket, Threads
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


def test_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    threads = Threads(told)
    taken = [False]
    now = [0.0]
    waits: list[Any] = []
    handlers: dict[int, Any] = {}

    def lock(*_: Any) -> None:
        if taken[0]:
            raise BlockingIOError(errno.EAGAIN, "held")

    def slept(seconds: float) -> None:
        now[0] += 0.3

    def wait(*_: Any) -> Any:
        found = waits.pop(0) if waits else 0
        if isinstance(found, Exception):
            raise found
        return found

    pair = (Socket(told, "ours"), Socket(told, "theirs"))
    served: list[Any] = [None]

    def serve(_: Any) -> None:
        told.note("    serves")
        if isinstance(served[0], Exception):
            raise served[0]
        if served[0]:
            handlers[served[0]](served[0], None)

    class Errors:
        def write(self, text: str) -> None:
            if text.strip():
                told.note(f"    says {text.strip()}")

        def flush(self) -> None:
            """Nothing is held."""

    folder = tmp_path / "a" / "local"
    with monkeypatch.context() as patch:
        patch.setattr(daemon, "threading", threads)
        patch.setattr(fcntl, "flock", lock)
        patch.setattr(time, "sleep", told.stand_in("sleep", slept))
        patch.setattr(time, "monotonic", lambda: now[0])
        patch.setattr(socket, "socketpair", told.stand_in("socketpair", lambda *_: pair))
        patch.setattr(os, "getpid", lambda: 42)
        patch.setattr(os, "geteuid", lambda: 1000)
        patch.setattr(sys, "executable", "python")
        patch.setattr(sys, "stderr", Errors())
        patch.setattr(broker, "serve", serve)
        patch.setattr(signal, "signal", lambda number, what: handlers.update({number: what}))
        inner = SimpleNamespace(wait=told.stand_in("wait", wait), kill=told.stand_in("kill"))
        popen = told.stand_in("Popen", lambda *_, **__: inner)
        patch.setattr(subprocess, "Popen", popen)
        late = subprocess.TimeoutExpired("x", 1)
        for what, result, ends in (
            ("it ends", None, [0]),
            ("it fails", None, [3]),
            ("it does not end", None, [late, 9]),
            ("the inside is gone", OSError(errno.EPIPE, "broken pipe"), [1]),
            ("SIGTERM", signal.SIGTERM, [0]),
            ("SIGINT", signal.SIGINT, [0]),
        ):
            served[0], waits[:] = result, ends
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "endpoint.json").write_text("{}")
            told.outcome(what, daemon.outside, folder)
            told.note(f"    {sorted(path.name for path in folder.iterdir())}")
            told.note(f"    {(folder / 'lock').read_text()} {sorted(map(int, handlers))}")
        taken[0] = True
        told.outcome("another runs", daemon.outside, folder)
        taken[0] = False
        for said in (b"started", b"start", b""):
            end_with = threads.waiting[-1]
            patch.setattr(os, "read", told.stand_in("read", lambda *_, said=said: said))
            patch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0))
            told.outcome(f"the starter says {said!r}", end_with)
        for words in (["d", str(folder)], ["d", str(folder), "9"]):
            patch.setattr(sys, "argv", words)
            patch.setattr(daemon, "outside", told.stand_in("outside", lambda _: 7))
            patch.setattr(daemon, "inside", told.stand_in("inside"))
            patch.setattr(socket, "socket", lambda **given: contextlib.nullcontext(str(given)))
            told.outcome(f"{len(words)} words", daemon.main)
        for error in (None, NitroError("none"), OSError(2, "none"), ValueError("odd")):

            def find(error: Exception | None = error) -> None:
                if error:
                    raise error

            patch.setattr(programs, "find", told.stand_in("find", find))
            patch.setattr(cache, "touch_again", told.stand_in("touch again"))
            stops = [False, False, True]
            stopping: Any = SimpleNamespace(
                wait=told.stand_in("stopping", lambda _, stops=stops: stops.pop(0))
            )
            told.outcome(f"keeps programs, {error!r}", daemon._keep_programs, stopping)
    for content in (None, Conditions(seed=3).model_dump_json(), "{"):
        if content is not None:
            (folder / "weather.json").write_text(content)
        try:
            told.note(f"{content}: {daemon.weather(folder).seed}")
        except ValueError as error:
            told.note(f"{content}: {type(error).__name__}")
    compare(HERE / "daemon.txt", told.text)
