"""Text from guests, files and AWS made safe to print: it cannot steer a terminal.

A guest or a file that somebody else made may contain escape sequences, which set a terminal's
title or clipboard, erase what is on it, or reorder what is read.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# ECMA-48: a control sequence, a control string with its end, and escapes of two characters. Each
# may begin with ESC or, its two characters in one, with a C1 control character.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\`-~]"
)
_LINE_END = re.compile(r"\r+\n?")


def printable(text: str, *, keep: str = "\n\t") -> str:
    """`text` without escape sequences; other unprintable characters become a replacement.

    A carriage return counts as a newline, so that no line hides another. What Unicode calls a
    control or format character is unprintable, bidirectional overrides included, and so is a
    lone surrogate, which stands for a byte of a file's name.
    """
    if text.isprintable():
        return text
    lines = _SEQUENCE.sub("", _LINE_END.sub("\n", text))
    return "".join(c if c.isprintable() or c in keep else REPLACEMENT for c in lines)
