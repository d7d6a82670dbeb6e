"""Progress as a person sees it on a terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.console import Console

from nitro.cli import output
from nitro.cli.terminal import TerminalReporter
from nitro.progress import LineReporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def attach(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_a_finished_stage_leaves_a_line_and_a_failed_one_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = attach(monkeypatch)
    reporter = output.reporter()
    assert isinstance(reporter, TerminalReporter)
    with reporter.stage("publish"):
        with reporter.stage("upload [of it]") as stage:
            stage.progress(3e6, 20e6)
            stage.status("nearly there")
        reporter.note("a [note]")
    shown = "\x1b[?25h"  # the cursor is there again: the display ends with the outer stage
    assert terminal.getvalue().rindex(shown) > terminal.getvalue().rindex("publish")
    with pytest.raises(ValueError, match="x"), reporter.stage("launch"):
        raise ValueError("x")
    reporter.close()
    lines = terminal.getvalue().splitlines()
    for title, indent in (("publish", ""), ("upload", "  ")):
        (line,) = (line for line in lines if "✓" in line and title in line)
        assert re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", line).startswith(f"{indent}✓ {title}")
    said = Console(file=io.StringIO()).render_str(terminal.getvalue()).plain
    assert "✓" in said
    assert "upload [of it]" in terminal.getvalue()
    assert "a [note]" in terminal.getvalue()
    assert "✗" in said
    assert [span.stage for span in reporter.timeline] == ["publish", "launch"]


def test_a_dumb_terminal_and_a_pipe_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(output.reporter(), LineReporter)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(output.reporter(), LineReporter)
