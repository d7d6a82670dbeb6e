"""What a command says, as one text for a transcript."""

from __future__ import annotations

import re
import shlex

from typer.testing import CliRunner

from nitro.cli import app

# Digits that the processor's own way of multiplying may change.
_LONG = re.compile(r"-?\d+\.\d{6,}(e[-+]?\d+)?")


def said(*words: str, hidden: tuple[str, ...] = ()) -> str:
    """The command, what it printed, and its exit code unless that is 0; `hidden` are words that
    are not shown."""
    done = CliRunner().invoke(app, [*words, *hidden])
    assert "Traceback" not in done.output, done.output
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    parts = [f"$ nitro {shlex.join(words)}\n", done.stdout]
    parts += [f"! {line}\n" for line in done.stderr.splitlines()]
    parts += [f"exit code {done.exit_code}\n"] if done.exit_code else []
    return rounded("".join(parts)) + "\n"


def rounded(text: str) -> str:
    """Long numbers with nine digits."""
    return _LONG.sub(lambda found: f"{float(found[0]):.9g}", text)
