"""Starting, finding and ending the local Nitro: `nitro local up | down | status`."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nitro import debian, paths
from nitro.errors import InputError, NitroError
from nitro.local import dnsmasq, qemu
from nitro.progress import Reporter

LOCK, ENDPOINT, LOG = "lock", "endpoint.json", "log"  # in the local Nitro's folder
REGION = "us-east-1"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
_LOG_TAIL = 5  # lines of the log in an error


@dataclass(frozen=True)
class Endpoint:
    """Where a local Nitro answers. `guest_url` is S3 as instances see it."""

    url: str
    guest_url: str
    region: str


@dataclass(frozen=True)
class Status:
    """What is known of the local Nitro. `endpoint` is None when it does not run."""

    endpoint: Endpoint | None
    pid: int | None
    folder: Path


@dataclass
class LocalSession:
    """A local Nitro in use. `started`: by this session, which ends it unless told to keep it."""

    endpoint: Endpoint
    started: bool

    def keep(self) -> None:
        """Leave it running, because something in it is to stay."""
        self.started = False


def up(report: Reporter | None = None) -> Endpoint:
    """The running local Nitro, started if there is none.

    Programs that it needs are fetched first. Raises InputError when moto is not installed,
    NitroError when it does not come up; the last lines of its log say why.
    """
    report = report or Reporter()
    if running := status().endpoint:
        return running
    if importlib.util.find_spec("moto") is None:
        raise InputError("the local Nitro needs moto", hint="pip install 'nitro-ami[local]'")
    with report.stage("start the local Nitro") as stage:
        stage.status("programs")
        qemu.find(report)
        for wanted in (dnsmasq.PACKAGES, qemu.firmware_packages()):
            debian.tree(wanted, report=report)
        stage.status("daemon")
        return _start(_folder())


def down() -> bool:
    """End the local Nitro and its instances; images and snapshots stay. False: none ran."""
    state = status()
    if state.pid is None:
        return False
    os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _holder(state.folder) == state.pid:
        if time.monotonic() > deadline:
            os.kill(state.pid, signal.SIGKILL)
            raise NitroError(f"the local Nitro (process {state.pid}) did not end and was killed")
        time.sleep(0.02)
    return True


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
    """Use the local Nitro: started if there is none, and then ended afterwards."""
    started = status().endpoint is None
    held = LocalSession(up(report), started)
    try:
        yield held
    finally:
        if held.started:
            down()


def _folder() -> Path:
    return paths.state_dir() / "local"


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


def _start(folder: Path) -> Endpoint:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ENDPOINT).unlink(missing_ok=True)
    log = folder / LOG
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nitro.local.daemon", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C at the terminal is not meant for it
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if endpoint := status().endpoint:
            return endpoint
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.terminate()
    tail = " / ".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])
    raise NitroError(f"the local Nitro did not start: {tail}", hint=f"its log is {log}")


def _python_path() -> str:
    own, inherited = str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")
    return f"{own}{os.pathsep}{inherited}" if inherited else own
