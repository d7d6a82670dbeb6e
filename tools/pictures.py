"""Draws the pictures of the documentation: `make pictures`.

Those of a terminal are what a command really prints there, run against a local Nitro of its own,
with the paths that a user with the default folders would see. That of a page is what Chromium shows
of the sample report, which is made anew as well.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

from tools import browser, sample_report

COLUMNS, LINES = 100, 120
ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

#: The 16 colours of pyte that rich calls otherwise.
_COLOURS = {"default": "", "brown": "yellow"}


@dataclass(frozen=True)
class Picture:
    """A command to show; `before` runs unseen."""

    name: str
    command: str
    before: tuple[str, ...] = ()
    columns: int = COLUMNS


PICTURES = (
    Picture("deploy", "nitro deploy --instance c5.large", columns=82),
    Picture(
        "ls",
        "nitro ls",
        before=("nitro launch httpd --instance c5.large --ttl 2h",),
        columns=140,
    ),
    Picture("doctor", "nitro doctor", before=("nitro local up",)),
    Picture(
        "explain",
        "nitro device explain ena.trace | grep -v writes",
        before=("python -m lab.trace ena.trace",),
    ),
)
REPORT = "bench-report"


def main() -> None:
    """Draw the named pictures, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all pictures")
    names = parser.parse_args().names
    if unknown := set(names) - {REPORT, *(picture.name for picture in PICTURES)}:
        parser.error(f"no picture {', '.join(sorted(unknown))}")
    for picture in PICTURES:
        if not names or picture.name in names:
            draw(picture)
    if not names or REPORT in names:
        page = DOCS / f"{REPORT}.html"
        sample_report.make(page)
        browser.take(page, page.with_suffix(".png"), height=1560)  # with the first charts


def draw(picture: Picture) -> None:
    """Run the picture's commands in a folder of their own and write docs/NAME.svg.

    Raises CalledProcessError when one of them fails.
    """
    with tempfile.TemporaryDirectory(prefix="nitro-pictures-") as folder:
        environment = {
            **os.environ,
            "NITRO_STATE": f"{folder}/state",
            "NITRO_CLOUD": "local",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        run = partial(subprocess.run, shell=True, check=True, cwd=folder, env=environment)
        try:
            for command in picture.before:
                run(command)
            output = on_terminal(picture.command, Path(folder), environment, picture.columns)
        finally:
            run("nitro local down --force")
    console = Console(record=True, width=picture.columns, file=io.StringIO())
    console.print(f"$ {picture.command}", highlight=False)
    console.print(as_text(without_paths(output, Path(folder)), picture.columns))
    drawn = console.export_svg(title=picture.command)
    # The page that shows a picture loads nothing from elsewhere: any font of one width will do.
    drawn = re.sub(r"\s*@font-face \{.*?\}\n", "\n", drawn, flags=re.DOTALL)
    (DOCS / f"{picture.name}.svg").write_text(drawn)


def without_paths(output: bytes, folder: Path) -> bytes:
    """The output as it would be for a user with the default folders."""
    state, home = f"{folder}/state".encode(), str(Path.home()).encode()
    return output.replace(state, b"~/.local/state/nitro").replace(home, b"~")


def on_terminal(
    command: str, folder: Path, environment: dict[str, str], columns: int = COLUMNS
) -> bytes:
    """What `command` writes to a terminal of so many columns."""
    leader, follower = pty.openpty()
    size = {"COLUMNS": str(columns), "LINES": str(LINES), "TERM": "xterm-256color"}
    with subprocess.Popen(
        command,
        shell=True,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env={**environment, **size},
    ) as process:
        os.close(follower)
        written = b""
        try:
            while chunk := os.read(leader, 65536):
                written += chunk
        except OSError:  # the last writer is gone
            pass
    os.close(leader)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, written)
    return written


def as_text(output: bytes, columns: int = COLUMNS) -> Text:
    """The screen as it stands after `output`, with its colours."""
    screen = pyte.Screen(columns, LINES)
    pyte.ByteStream(screen).feed(output)
    lines = []
    for row in range(LINES):
        line = Text()
        for column in range(columns):
            cell = screen.buffer[row][column]
            colour = _COLOURS.get(cell.fg, cell.fg)
            line.append(cell.data, style=f"{'bold ' if cell.bold else ''}{colour}".strip())
        line.rstrip()
        lines.append(line)
    text = Text("\n").join(lines)
    text.rstrip()
    return text


if __name__ == "__main__":
    main()
