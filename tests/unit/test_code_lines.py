"""Counting lines of code of C sources."""

from __future__ import annotations

import pytest

from tools.code_lines import code_lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ("\n\n/* a comment\n * of two lines */\n// another\n", 0),
        ("int a; /* code and\n comment */\nint b;\n", 2),
        ('char *s = "/* no comment */";\nint a;\n', 2),
        ("int f(int a, int b)\n{\n\treturn a + b;\n}\n", 4),
        ("for (int i = 0; i < 3; i++) { a(); b(); }\n", 1),
        ("const struct point p = { 1, 2 };\n", 1),
    ],
)
def test_blank_lines_and_comments_do_not_count(source: str, lines: int) -> None:
    assert code_lines(source) == lines


@pytest.mark.parametrize(
    ("close", "spread"),
    [
        ("struct s { int a, b; };", "struct s {\n\tint a;\n\n\tint b; /* why */\n};"),
        ("enum { A = 1, B, };", "enum {\n\tA = 1,\n\tB,\n};"),
        (
            "struct s { union { int a; char b[2]; } u; };",
            "struct s {\n\tunion {\n\t\tint a;\n\t\tchar b[2];\n\t} u;\n};",
        ),
        ("if (a && b)\n\tf(x, y);", "if (a &&\n    b)\n\tf(x,\n\t  y);"),
        ("#define LIST(_) \\\n\t_(a) _(b)", "#define LIST(_) \\\n\t_(a) /* x */ \\\n\t_(b)"),
    ],
)
def test_the_layout_does_not_change_the_count(close: str, spread: str) -> None:
    assert code_lines(close) == code_lines(spread) > 1
