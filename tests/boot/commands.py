"""The `nitro` command as a user runs it, on a local Nitro with a state of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 300  # seconds for one command
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Nitro:
    """Runs commands in `folder`; downloads are shared with the user's own cache.

    What they ask of the local Nitro is held against the shipped policies; `policed=False` where
    what a policy is asked about (such as tags) may be unseen for seconds, or the endpoint away.
    """

    folder: Path
    policed: bool = True

    @property
    def environment(self) -> dict[str, str]:
        settings = {"NITRO_STATE": str(self.folder / "state"), "NITRO_CLOUD": "local"}
        modules = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        return {**os.environ, **settings, "PYTHONPATH": modules}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.boot.policed_nitro" if self.policed else "nitro", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it must exit with `code`."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            err += f"\nnot done within {TIMEOUT} s"
        assert process.returncode == code, f"{words}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def json(self, *words: str, code: int = 0) -> Any:
        command, *rest = words
        return json.loads(self.run(command, "--json", *rest, code=code).stdout)

    def left(self) -> list[str]:
        """What `nitro ls` shows, but for what a deployment is to leave behind."""
        stays = {"image", "snapshot", "bucket"}
        return [f"{r['kind']} {r['id']}" for r in self.json("ls") if r["kind"] not in stays]


def eventually(question: Any, *, seconds: float = 60.0) -> Any:
    """The first answer of `question` that is not false and no OSError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := question():
                return answer
        except OSError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.2)
