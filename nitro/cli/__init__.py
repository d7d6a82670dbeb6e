"""The command line: parse, call, print. It decides nothing.

`main` answers two questions without the parser, whose import takes longer than they do: the help,
and whether an image that is asked for is built already.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nitro.cli.parser import app as app


def main() -> None:
    """Entry point of the `nitro` command."""
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        from nitro.cli.commands import help_text

        sys.stdout.write(help_text() + "\n")
        return
    if words[:1] == ["build"] and len(words) == 2 and not words[1].startswith("-"):
        from nitro.cli.unchanged import show

        if show(words[1]):
            return
    import signal

    from nitro.cli.parser import app

    # SIGTERM cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


def __getattr__(name: str) -> object:
    if name == "app":
        from nitro.cli.parser import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
