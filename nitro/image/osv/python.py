"""Python scripts on OSv, where `python3 FILE` fails and `python3 -m MODULE` does not.

Python marks a script's file as not to be inherited by FIOCLEX, which OSv's files answer with
EINVAL; it opens modules with O_CLOEXEC. Seen with OSv v0.57.0-398 and Python 3.13.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_INTERPRETER = re.compile(r"python3(\.\d+)?")

WHY = "on OSv Python cannot open a script (FIOCLEX fails); it can open a module"


def is_script(argv: Sequence[str]) -> bool:
    """Whether the command line starts a script by its path."""
    return (
        len(argv) > 1
        and _INTERPRETER.fullmatch(PurePosixPath(argv[0]).name) is not None
        and argv[1].endswith(".py")
    )


def as_module(argv: Sequence[str], folder: str) -> tuple[str, ...]:
    """The same with the script as a module, if it lies in the `folder` that the command starts in,
    where Python looks for modules first."""
    script = PurePosixPath(folder, argv[1]) if is_script(argv) else None
    if script is None or script.parent != PurePosixPath(folder) or "." in script.stem:
        return tuple(argv)
    return (argv[0], "-m", script.stem, *argv[2:])
