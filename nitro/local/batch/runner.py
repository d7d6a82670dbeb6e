"""Attempts as processes, each in a session and a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GRACE = 30.0  # seconds from SIGTERM to SIGKILL, as in ECS


class ProcessRunner:
    """Runs commands in `folder`, where each leaves what it printed as NAME/log.

    `environment` is what every one is given: where the endpoint is, and the key to it. Of this
    process's own variables they get PATH, with the folder of this Python's programs, and HOME.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment = folder, dict(environment)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], region: str
    ) -> Process:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"}
        own |= {"HOME": os.environ.get("HOME", "/"), "AWS_REGION": region}
        with (folder / "log").open("wb") as log:
            started = subprocess.Popen(
                command,
                cwd=folder,
                env=own | self._environment | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Process(started)


class Process:
    """A process and its descendants in the same session."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started

    @property
    def pid(self) -> int:
        return self._started.pid

    def poll(self) -> int | None:
        code = self._started.poll()
        return 128 - code if code is not None and code < 0 else code

    def end(self) -> None:
        self._signal(signal.SIGTERM)
        timer = threading.Timer(GRACE, self._signal, [signal.SIGKILL])
        timer.daemon = True
        timer.start()

    def _signal(self, number: int) -> None:
        if self._started.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._started.pid, number)
