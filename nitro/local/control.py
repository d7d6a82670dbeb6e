"""Starting, finding and ending the local Nitro: `nitro local up | down | status`.

It runs for as long as a command uses it, or until `down` when it is to stay (`up`, `keep`). The
process that runs holds a lock for its life, and what it announces is written and removed under
that lock; starting and ending happen in `users.gate`, one command at a time.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nitro import paths
from nitro.errors import InputError, NitroError
from nitro.local import programs, qemu, users
from nitro.local.nic import MAP_LLQ_FILE, OFFLOADS, OFFLOADS_FILE, SHAPES_FILE
from nitro.progress import Reporter, Stage

if TYPE_CHECKING:
    from nitro.local.weather import Conditions

LOCK, ENDPOINT, LOG = "lock", "endpoint.json", "log"  # in the local Nitro's folder
STARTED = b"started"  # what the daemon is told; without it, it ends with its starter
WEATHER = "weather.json"  # a file there: the faults that it adds
UNTIL_DOWN = "stays"  # a file there: run until `down`
REGION = "us-east-1"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
_LOG_TAIL = 5  # lines of the log in an error
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Endpoint:
    """Where a local Nitro answers, and to whom.

    `guest_ca` is the certificate by which instances know its S3: DER in base64.
    """

    url: str
    guest_ca: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What requests are signed with."""
        return self.access_key, self.secret_key


@dataclass(frozen=True)
class Status:
    """What is known of the local Nitro. `endpoint` is None when it does not run."""

    endpoint: Endpoint | None
    pid: int | None
    folder: Path


@dataclass(frozen=True)
class LocalSession:
    """A local Nitro in use. It ends with its last session unless it is to stay."""

    endpoint: Endpoint
    folder: Path
    pid: int | None = None

    def death(self) -> NitroError | None:
        """Says that the local Nitro has ended under this session; None while it runs."""
        if _holder(self.folder) == self.pid:
            return None
        return NitroError(
            f"the local Nitro (process {self.pid}) has ended",
            hint=f"its log is {self.folder / LOG}",
        )

    def keep(self) -> None:
        """Let it run until `down`, because something in it is to stay."""
        (self.folder / UNTIL_DOWN).touch()

    @property
    def runs_until_down(self) -> bool:
        """Whether it runs until `down`."""
        return (self.folder / UNTIL_DOWN).exists()


def up(
    report: Reporter | None = None,
    *,
    offloads: str = "profile",
    map_llq: bool = False,
    shapes: Mapping[str, str] | None = None,
    weather: Conditions | None = None,
) -> Endpoint:
    """The running local Nitro, started if there is none, to stay until `down`.

    The cards of instances that start from now on have the offloads of their profile, or with
    "all" every one there is, map their LLQ memory into the guest if `map_llq`, and have by instance
    type the bounds in `shapes`, which `nitro device serve --shape` explains. Raises InputError for
    another word. `weather` adds faults to those of a fair day; InputError when it runs already,
    with other ones or none. Programs that it needs are fetched first. Raises InputError when moto
    is not installed, NitroError when it does not come up; the last lines of its log say why.
    """
    if offloads not in OFFLOADS:
        raise InputError(f"no offloads named {offloads!r}", hint="known: " + ", ".join(OFFLOADS))
    with _entered(report or Reporter(), weather) as endpoint:
        (_folder() / UNTIL_DOWN).touch()
        (_folder() / OFFLOADS_FILE).write_text(offloads)
        mapped = _folder() / MAP_LLQ_FILE
        if map_llq:
            mapped.touch()
        else:
            mapped.unlink(missing_ok=True)
        (_folder() / SHAPES_FILE).write_text(json.dumps(dict(shapes or {})))
        return endpoint


def down(report: Reporter | None = None, *, force: bool = False) -> bool:
    """End the local Nitro and its instances; images and snapshots stay. False: none ran.

    Waits for commands that use it, unless `force` ends it under them.
    """
    folder = _folder()
    if _holder(folder) is None:
        return False
    with (report or Reporter()).stage("stop the local Nitro") as stage:
        while True:
            with users.gate(folder, stage.status):
                (folder / UNTIL_DOWN).unlink(missing_ok=True)
                busy = users.processes(folder)
                if force or not busy:
                    _end(folder)
                    return True
            stage.status(f"process {', '.join(map(str, busy))} uses it; --force does not wait")
            time.sleep(0.2)


def status() -> Status:
    """Whether it runs, and where."""
    folder = _folder()
    pid = _holder(folder)
    try:
        endpoint = Endpoint(**json.loads((folder / ENDPOINT).read_text()))
    except FileNotFoundError:
        endpoint = None
    return Status(endpoint if pid else None, pid, folder)


@contextmanager
def session(report: Reporter | None = None) -> Iterator[LocalSession]:
    """Use the local Nitro, started if there is none. Its last user ends it, or `down`."""
    folder = _folder()
    with _entered(report or Reporter()) as endpoint:
        user, pid = users.User(folder), _holder(folder)
    try:
        yield LocalSession(endpoint, folder, pid)
    finally:
        with users.gate(folder):
            user.leave()
            if not (folder / UNTIL_DOWN).exists() and not users.processes(folder):
                _end(folder)


@contextmanager
def _entered(report: Reporter, weather: Conditions | None = None) -> Iterator[Endpoint]:
    """The running local Nitro, inside the gate: nobody ends it within the `with` block."""
    folder = _folder()
    if status().endpoint:
        with users.gate(folder):
            if endpoint := status().endpoint:
                _check_weather(folder, weather)
                yield endpoint
                return
    if importlib.util.find_spec("moto") is None:
        raise InputError("the local Nitro needs moto", hint="pip install 'nitro-ami[local]'")
    with ExitStack() as inside:
        with report.stage("start the local Nitro") as stage:
            stage.status("programs")
            programs.find(report)
            inside.enter_context(users.gate(folder, stage.status))
            if endpoint := _wait_for_end_of_change(folder):
                _check_weather(folder, weather)
            else:
                endpoint = _start(folder, stage, weather)
        yield endpoint


def _check_weather(folder: Path, asked: Conditions | None) -> None:
    """What runs keeps its weather until it ends. None asks for nothing."""
    if asked is None:
        return
    path = folder / WEATHER
    if not path.exists() or path.read_text() != asked.model_dump_json():
        raise InputError(
            "the local Nitro runs already, in other weather",
            hint="`nitro local down` ends it; then start it with --weather",
        )


def _folder() -> Path:
    """Consoles, disks and the key lie there: nobody else may look inside."""
    folder = paths.state_dir() / "local"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _holder(folder: Path) -> int | None:
    """The process that holds the lock, so one that lives: no number of a dead one."""
    try:
        with (folder / LOCK).open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except FileNotFoundError:
        pass
    return None


def _wait_for_end_of_change(folder: Path) -> Endpoint | None:
    """The endpoint of one that runs; None when none does, after one that was ending has ended."""
    deadline = time.monotonic() + STOP_SECONDS
    while (now := status()).pid:
        if now.endpoint:
            return now.endpoint
        if time.monotonic() > deadline:
            raise NitroError(
                f"the local Nitro (process {now.pid}) does not answer and does not end",
                hint="`nitro local down` ends it",
            )
        time.sleep(_POLL_SECONDS)
    return None


def _start(folder: Path, stage: Stage, weather: Conditions | None) -> Endpoint:
    stage.status("daemon")
    for left in (UNTIL_DOWN, ENDPOINT, WEATHER):  # by the one before
        (folder / left).unlink(missing_ok=True)
    if weather:
        (folder / WEATHER).write_text(weather.model_dump_json())
    log = folder / LOG
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nitro.local.daemon", str(folder)],
            stdin=subprocess.PIPE,  # closed without a word: this process is gone, so is the other
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C at the terminal is not meant for it
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
    assert process.stdin
    try:
        with process.stdin as starter:
            deadline = time.monotonic() + START_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                if endpoint := status().endpoint:
                    starter.write(STARTED)
                    return endpoint
                time.sleep(_POLL_SECONDS)
    finally:
        if status().endpoint is None:
            qemu.end(process)
    tail = " / ".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])
    raise NitroError(f"the local Nitro did not start: {tail}", hint=f"its log is {log}")


def _end(folder: Path) -> None:
    """End the process that holds the lock and wait for it."""
    pid = _holder(folder)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _holder(folder) == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            raise NitroError(f"the local Nitro (process {pid}) did not end and was killed")
        time.sleep(_POLL_SECONDS)


def _python_path() -> str:
    own, inherited = str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")
    return f"{own}{os.pathsep}{inherited}" if inherited else own
