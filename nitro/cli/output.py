"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from nitro.progress import LineReporter, Reporter


def reporter() -> Reporter:
    """A live display on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from nitro.cli.terminal import TerminalReporter

        return TerminalReporter()
    return LineReporter()


def say(text: str) -> None:
    """One line for the person who watches, not part of the result."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns aligned by spaces: readable as it is, and for `awk` too."""
    cells = [[str(cell) for cell in row] for row in [headers, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())
