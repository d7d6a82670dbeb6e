"""Lines of code of C sources, whatever their layout.

Blank lines and comments do not count. Each field of a struct or union, each enumerator and each
entry `_(name)` of a macro list counts as one line, wherever it stands, and what stands in
parentheses counts as part of the line that they begin on. So three fields on a line or a long
line save nothing, and a field with its own line and comment or a line broken in time cost nothing.
"""

from __future__ import annotations

import re

_COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_TYPE = re.compile(r"\b(?:struct|union|enum)\b[^()=;{}]*$")
_LIST_ENTRY = re.compile(r"(?=\b_\()")


def code_lines(source: str) -> int:
    """How many lines of code `source`, the text of a C file, has."""
    plain = _COMMENT_OR_STRING.sub(_blank, source)
    lines = _LIST_ENTRY.sub("\n", _one_member_a_line(plain)).splitlines()
    return sum(bool(line.strip(" \t\\")) for line in lines)


def _blank(match: re.Match[str]) -> str:
    """A string as an empty one, a comment as the line ends in it."""
    return '""' if match[0].startswith('"') else " " + "\n" * match[0].count("\n")


def _one_member_a_line(source: str) -> str:
    """The source with a line for each member of a type, and none broken within parentheses."""
    parts: list[str] = []
    inside: list[bool] = []  # for each open brace: whether it defines a type
    nested = start = 0  # open parentheses and brackets; where the statement began
    for position, letter in enumerate(source):
        in_type = bool(inside) and inside[-1]
        if letter == "{":
            inside.append(bool(_TYPE.search(source[start:position])))
            parts.append("{\n" if inside[-1] else "{")
        elif letter == "}" and inside:
            parts.append("\n}" if inside.pop() else "}")
        else:
            nested += (letter in "([") - (letter in ")]")
            ends_member = letter in ",;" and in_type and not nested
            joined = letter == "\n" and nested > 0
            parts.append(f"{letter}\n" if ends_member else " " if joined else letter)
        if letter in "{};":
            start = position + 1
    return "".join(parts)
