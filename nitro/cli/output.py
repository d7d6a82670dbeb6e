"""Results go to stdout, everything else to stderr, and nothing of it steers a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from nitro.printable import REPLACEMENT, printable
from nitro.progress import LineReporter, Reporter


def reporter() -> Reporter:
    """A live display on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from nitro.cli.terminal import TerminalReporter

        return TerminalReporter()
    return LineReporter()


def say(text: str) -> None:
    """Say something to the person who watches that is not part of the result."""
    print(printable(text), file=sys.stderr)


def print_text(text: str = "") -> None:
    """Print a part of the result, and end its line."""
    print(printable(text))


def print_json(value: Any) -> None:
    """Print a result exactly: what a terminal must not get is escaped as JSON does it.

    A lone surrogate, which strict readers of JSON refuse, becomes a replacement character.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    print("".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns aligned by spaces: readable as it is, and for `awk` too."""
    cells = [[printable(str(cell), keep="") for cell in row] for row in [headers, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _escape(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return REPLACEMENT
    return json.dumps(character)[1:-1]
