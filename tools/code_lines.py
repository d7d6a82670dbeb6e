"""Lines of code of C sources, whatever their layout.

Blank lines and comments do not count. Each field of a struct or union, each enumerator and each
entry `_(name)` of a macro list counts as one line, wherever it stands: to write three on a line
saves nothing, to give each a line and a comment costs nothing.
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
    """The source with line ends around each member of a type's definition."""
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
            parts.append(f"{letter}\n" if ends_member else letter)
        if letter in "{};":
            start = position + 1
    return "".join(parts)
