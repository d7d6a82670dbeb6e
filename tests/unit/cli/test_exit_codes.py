"""docs/json.md says what each exit code means: each line of its two tables, by a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nitro.cli import app
from nitro.errors import NitroError, ProbeError, RefusedError, Regression
from nitro.local.attach import ConsoleSession
from tests.unit.cli.test_run import SESSION, ended, machines, run

__all__ = ["machines"]  # a fixture

PAGE = Path(__file__).parents[3] / "docs/json.md"


def table(heading: str) -> list[str]:
    """The codes of the table below a line of the page."""
    text = PAGE.read_text().partition(heading)[2].lstrip()
    rows = text.partition("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


def raising(error: BaseException) -> Callable[[pytest.MonkeyPatch], int]:
    """The exit code of a command whose work raises `error`."""

    def command(patch: pytest.MonkeyPatch) -> int:
        def fail(_: object) -> None:
            raise error

        patch.setattr("nitro.image.inspect.inspect", fail)
        return CliRunner().invoke(app, ["inspect", "disk"]).exit_code

    return command


def plain(*words: str) -> Callable[[pytest.MonkeyPatch], int]:
    return lambda _: CliRunner().invoke(app, words).exit_code


COMMANDS = {
    "0": plain("--version"),
    "1": raising(NitroError("no")),
    "2": plain("build", "no-such-recipe"),
    "3": raising(RefusedError("no")),
    "4": raising(ProbeError("no")),
    "5": raising(Regression("no")),
    "130": raising(KeyboardInterrupt()),
}

#: how the machine of `nitro run` went, and the exit code
RUNS: dict[str, list[tuple[ConsoleSession, int]]] = {
    "*n*": [(ended(0), 0), (ended(3), 3), (ended(255), 255)],
    "128 + *n*": [(ended(137), 137), (ended(143), 143)],
    "125": [
        (ConsoleSession(b"GRUB loading\r\n"), 125),
        (ConsoleSession(b"[    7.9] Kernel panic - not syncing: No init found.\r\n"), 125),
        (ConsoleSession(b"[    3.7] kernel BUG at kernel/entry/common.c:378!\r\n"), 125),
    ],
    "0": [(ConsoleSession(b"serving\r\n", left=True), 0)],
    "130": [],
}


def test_every_line_of_the_tables_is_tested() -> None:
    assert table("All commands but `nitro run`:") == list(COMMANDS)
    assert table("`nitro run`, as `docker run`:") == list(RUNS)


@pytest.mark.parametrize("code", COMMANDS)
def test_a_commands_exit_code(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert COMMANDS[code](monkeypatch) == int(code)


@pytest.mark.parametrize("code", RUNS)
def test_the_exit_code_of_run(
    code: str, machines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for session, expected in RUNS[code]:
        monkeypatch.setitem(SESSION, "is", session)
        assert run(monkeypatch) == expected
    if code == "130":

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("nitro.image.build", interrupted, raising=False)
        assert run(monkeypatch) == 130
    if code == "125":
        for words in (["--memory", "10"], ["--vcpus", "0"], ["--bogus"], ["-f", "x"]):
            done = CliRunner().invoke(app, ["run", "hello", *words])
            assert done.exit_code == 125


def test_the_help_has_the_same_codes() -> None:
    said = CliRunner().invoke(app, ["--help"]).output.partition("Exit codes:")[2]
    assert {*re.findall(r"\d+", said)} == {*COMMANDS, "125"}
