"""Whatever is printed, the terminal gets text: no escape sequences, no control characters."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from nitro.cli import output
from nitro.cli.terminal import TerminalReporter
from nitro.progress import LineReporter, Reporter
from tests.unit.test_printable import HOSTILE

CLI = Path(output.__file__).parent


def written(call: Callable[[], Any]) -> str:
    """What a call writes to stdout and stderr."""
    both = io.StringIO()
    with redirect_stdout(both), redirect_stderr(both):
        call()
    return both.getvalue()


def speak(reporter: Reporter, text: str) -> None:
    reporter.note(text)
    with reporter.stage(text) as stage:
        stage.status(text)
        stage.progress(1, 2, text)


@pytest.mark.extended
@given(HOSTILE)
def test_no_function_writes_a_control_character(text: str) -> None:
    for call in (
        lambda: output.say(text),
        lambda: output.print_text(text),
        lambda: output.print_table((text, "B"), [("1", text)]),
        lambda: output.print_json({text: [text]}),
        lambda: speak(LineReporter(), text),
    ):
        shown = written(call)
        assert all(c.isprintable() or c in "\n\t" for c in shown)
        shown.encode()


@given(HOSTILE)
def test_json_stays_exact(text: str) -> None:
    shown = json.loads(written(lambda: output.print_json({"x": text})))["x"]
    assert [*shown] == [c if not "\ud800" <= c <= "\udfff" else "\ufffd" for c in text]
    shown.encode()


def test_half_a_character_is_replaced() -> None:
    shown = json.loads(written(lambda: output.print_json({"x": "\ud800|\udfff"})))
    assert shown == {"x": "\ufffd|\ufffd"}


def test_a_row_of_a_table_is_one_line() -> None:
    rows = [("a\nb", "c"), ("d", "e\x1b[2J")]
    assert len(written(lambda: output.print_table(("X", "Y"), rows)).splitlines()) == 3


@pytest.mark.parametrize(
    "text", ["[/]", "[bold]x", "\x1b]52;c;eA==\x07x", "\x9b2Jx", "a\u202eb", "\udc80"]
)
def test_a_live_display_takes_any_text(text: str) -> None:
    """The display's own sequences are drawn on terminals only, and this is none."""
    shown = written(lambda: speak(TerminalReporter(), text))
    assert not {"\x1b", "\x9b", "\u202e", "\udc80", "\x07"} & set(shown)


@pytest.mark.extended
def test_commands_print_by_these_functions_only() -> None:
    wrong = [
        f"{path.name}:{node.lineno}"
        for path in CLI.glob("*.py")
        if path.name != "output.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "typer.echo", "traceback.print_exc"}
    ]
    assert not wrong
