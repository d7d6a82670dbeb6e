"""The tool that draws mutants: what it changes, what it leaves alone, that it tells right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.mutants import sites
from tools.mutants.covered import Covered
from tools.mutants.judge import compile_mutant


def changed(source: str) -> list[str]:
    """The source after each of its changes."""
    found = []
    for number in range(len(sites.find(ast.parse(source)))):
        tree = ast.parse(source)
        sites.find(tree)[number].apply()
        found.append(ast.unparse(ast.fix_missing_locations(tree)))
    return found


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("ok = a < b", ["ok = a <= b"]),
        ("ok = a and b", ["ok = a or b"]),
        ("n = 4096", ["n = 4097"]),
        ("ok = not a", ["ok = not not bool(a)"]),
        ("f(a, b)", ["pass", "f(b, a)"]),
        ("f(a, x=b)", ["pass", "f(a)"]),
        ("a()\nb()", ["pass\nb()", "b()\na()", "a()\npass"]),
        ("self.x = y", ["pass"]),
        (
            "try:\n    x = 1\nexcept (A, B):\n    raise",
            [
                "try:\n    x = 1\nexcept (B,):\n    raise",
                "try:\n    x = 1\nexcept (A,):\n    raise",
                "try:\n    x = 2\nexcept (A, B):\n    raise",
                "try:\n    x = 1\nexcept (A, B):\n    pass",
            ],
        ),
    ],
)
def test_each_operator(source: str, mutants: list[str]) -> None:
    assert sorted(changed(source)) == sorted(mutants)


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""',
        "def __repr__(self):\n    return f(1)",
        "if TYPE_CHECKING:\n    x = 1",
        "x: Literal[1]",
        "log.debug('%s', 1)",
        "error = InputError('text', hint='text')",
        "text = f'{a + 1}'",
        "class Seam(Protocol):\n\n    def f(self) -> int:\n        return g(1)",
    ],
)
def test_what_nobody_can_see_is_left_alone(source: str) -> None:
    assert changed(source) == []


def test_a_mutant_is_code_and_its_file_stays_as_it_is(tmp_path: Path) -> None:
    source = "answer = 41\n"
    (tmp_path / "m.py").write_text(source)
    code, space = compile_mutant(tmp_path, "m.py", 0), dict[str, int]()
    assert code
    exec(code, space)
    assert space["answer"] == 42
    assert (tmp_path / "m.py").read_text() == source


def test_lines_that_run_at_import_are_asked_of_all_tests_of_the_file() -> None:
    covered = Covered({"nitro/a.py": {1: [], 5: ["x.py::t1"], 6: ["test_a.py::t2"]}}, {})
    assert covered.tests("nitro/a.py", 5, at_import=False) == ["x.py::t1"]
    assert covered.tests("nitro/a.py", 1, at_import=True) == ["test_a.py::t2", "x.py::t1"]
    assert covered.tests("nitro/a.py", 2, at_import=True) == []
