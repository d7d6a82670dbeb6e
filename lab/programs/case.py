"""A program: a recipe or words of the command line, and a request with a part of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """`recipe`: the file's text, or "" where `program`, a name in `files`, is run by itself; it may
    be a container image's. `make` puts in the folder what no text can be.

    `ask` is sent to `port` when a connection stands, and `answer` is somewhere in what comes back.
    `family`: what kind of program it is, as docs/programs.md groups them.
    """

    name: str
    family: str
    port: int
    answer: bytes
    recipe: str = ""
    program: str = ""
    ask: bytes = b""
    files: Mapping[str, str] = field(default_factory=dict)
    make: Callable[[Path], None] = lambda _: None

    @property
    def lines(self) -> int:
        """Lines of the recipe; 0 where none is needed."""
        return len(self.recipe.strip().splitlines())


HTTP_GET = b"GET / HTTP/1.0\r\nHost: guest\r\n\r\n"
