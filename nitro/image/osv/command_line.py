"""OSv's command line: options of the kernel, then the program with its arguments.

The kernel splits its options at blanks, where a backslash keeps one, and the program's words by a
grammar of its own (core/commands.cc): "" quote, a backslash escapes, ; & and ! separate programs,
and a dollar begins a variable wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,+@%^*~-]+")
_ESCAPES = {
    **{"\\": "\\\\", '"': '\\"'},
    **{"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"},
}


def make(argv: Sequence[str], env: Mapping[str, str], options: Sequence[str] = ()) -> str:
    """The command line that runs `argv` from the RAMFS.

    Raises ValueError for what OSv cannot be told.
    """
    # Only with --verbose does OSv say how the program ended; a kernel that aborts would halt with
    # its processors on.
    words = ["--rootfs=ramfs", "--bootchart", "--verbose", "--power-off-on-abort", *options]
    words += [f"--env={key}={value}" for key, value in sorted(env.items())]
    return " ".join([*map(_option, words), *map(_argument, argv)])


def _option(word: str) -> str:
    if "\n" in word or '"' in word:
        raise ValueError(f"{word!r}: OSv takes no line ends and quotes in its options")
    return re.sub(r"([\\ \t])", r"\\\1", word)


def _argument(word: str) -> str:
    if "$" in word:
        raise ValueError(f"{word!r}: OSv takes a dollar in an argument for the start of a variable")
    if _PLAIN.fullmatch(word):
        return word
    return '"' + "".join(_ESCAPES.get(character, character) for character in word) + '"'
