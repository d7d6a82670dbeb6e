"""Twenty commands at once on one local Nitro: each ends as if it were alone, nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nitro.local import control
from tests.boot.commands import Nitro

COMMANDS = 20
SECONDS = 600.0  # for all of them: only one that hangs takes as long
SEED = int(os.environ.get("NITRO_SEED", "20261126"))
# What may be asked of any local Nitro, however it is: no machine is started.
QUIET: tuple[tuple[str, ...], ...] = (
    ("ls", "--json"),
    ("local", "up"),
    ("local", "down"),
    ("local", "status"),
    ("destroy", "--all"),
    ("deploy", "hello", "--instance", "c5.large", "--dry-run"),
)
# These boot machines, on one processor each.
BOOTING: tuple[tuple[str, ...], ...] = (
    ("deploy", "hello", "--instance", "c5.large", "--probe", "boot"),
    ("run", "hello"),
)


@dataclass
class Command:
    words: tuple[str, ...]
    process: subprocess.Popen[str]
    out: str = ""
    err: str = ""

    def __str__(self) -> str:
        return f"nitro {' '.join(self.words)}: {self.process.returncode}\n{self.out}\n{self.err}"


@pytest.fixture
def nitro(tmp_path: Path) -> Iterator[Nitro]:
    nitro = Nitro(tmp_path, policed=False)
    yield nitro
    nitro.run("local", "down", "--force")
    assert processes(tmp_path) == []


def processes(folder: Path) -> list[str]:
    """Command lines of those that run in `folder` or are told of it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in f"{line} {(entry / 'cwd').readlink()}":
                found.append(line)
        except OSError:
            continue
    return found


def all_at_once(nitro: Nitro, words: list[tuple[str, ...]], seconds: float) -> list[Command]:
    commands = [Command(each, nitro.start(*each)) for each in words]
    deadline = time.monotonic() + seconds
    for command in commands:
        try:
            left = max(deadline - time.monotonic(), 0.1)
            command.out, command.err = command.process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            command.process.send_signal(signal.SIGINT)
            command.out, command.err = command.process.communicate(timeout=60)
            command.err += f"\nnot done within {seconds:g} s"
    return commands


def check(nitro: Nitro, commands: list[Command], allowed: Callable[[Command], bool]) -> None:
    for command in commands:
        assert "Traceback" not in command.err, command
        assert command.process.returncode == 0 or allowed(command), command
    nitro.run("local", "up")
    assert nitro.left() == []
    nitro.run("local", "down")
    folder = nitro.folder / "state" / "local"
    left = {path.name for path in (folder / "users").iterdir()}
    assert left == set()
    assert not (folder / control.ENDPOINT).exists()


@pytest.mark.slow
def test_twenty_commands_at_once(nitro: Nitro) -> None:
    chance = random.Random(SEED)
    words = [chance.choice(QUIET) for _ in range(COMMANDS)]
    commands = all_at_once(nitro, words, SECONDS)
    check(nitro, commands, lambda command: False)


@pytest.mark.boot
def test_twenty_commands_at_once_of_which_some_boot_machines(nitro: Nitro) -> None:
    """`destroy --all` may end an instance or an upload under its deploy, which then says so."""
    chance = random.Random(SEED)
    words = [chance.choice(QUIET) for _ in range(COMMANDS - 4)]
    words += [BOOTING[0], BOOTING[0], BOOTING[0], BOOTING[1]]
    chance.shuffle(words)
    commands = all_at_once(nitro, words, SECONDS)

    def was_destroyed(command: Command) -> bool:
        told = "User initiated" in command.err or "NoSuchUpload" in command.err
        return ("destroy", "--all") in words and told

    check(nitro, commands, was_destroyed)
