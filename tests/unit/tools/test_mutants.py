"""The tool that draws mutants: what it changes, what it leaves alone, that it tells right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.mutants import sites
from tools.mutants.__main__ import ALL_LINES, draw, place
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


ALIKE = "def same(a, b):\n    return a.x == b.x or a.y is None or b.y is None"


@pytest.mark.parametrize(
    ("source", "unseen", "seen"),
    [
        # How long, not whether.
        ("p = wait(x, timeout=10)", "p = wait(x, timeout=11)", "p = wait(x)"),
        ("p.settimeout(10)", "p.settimeout(11)", "pass"),
        ("data = f.read(LIMIT + 1)", "", "data = f.read(LIMIT - 1)"),
        ("head = f.read(20)\nn = 20", "head = f.read(21)\nn = 20", "head = f.read(20)\nn = 21"),
        ("data = f.read(1 << 20)", "data = f.read(1 << 21)", "data = f.read(1 >> 20)"),
        ("_N = 9\nf.read(min(n, _N))", "_N = 10\nf.read(min(n, _N))", ""),
        ("_N = 9\nf.read(_N)\nn = _N", "", "_N = 10\nf.read(_N)\nn = _N"),
        ("N = 9\nf.read(N)", "", "N = 10\nf.read(N)"),
        ("shutil.copyfileobj(a, b, 16)", "shutil.copyfileobj(a, b, 17)", ""),
        ("name = sha256(d).hexdigest()[:16]", "name = sha256(d).hexdigest()[:17]", ""),
        ("name = digest[:16]", "", "name = digest[:17]"),
        ("late = time.monotonic() > end", "late = time.monotonic() >= end", ""),
        ("late = now > end", "", "late = now >= end"),
        # What else a tool is told.
        ("x: int = field(default=1, init=False)", "x: int = field(default=1)", ""),
        ("f(default=1, init=x)", "", "f(default=1)"),
        ("T = TypeVar('T', bound=int)", "T = TypeVar('T')", ""),
        ("f = mkdtemp(prefix='x', dir=d)", "f = mkdtemp(dir=d)", "f = mkdtemp(prefix='x')"),
        ("f(prefix=p)", "", "f()"),
        ("stage.progress(n)", "pass", ""),
        ("timer.daemon = True", "timer.daemon = False", ""),
        ("stage.done(n)", "", "pass"),
        ("s.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)", "pass", ""),
        ("s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)", "", "pass"),
        ("f(x, stage=stage)", "f(x)", "pass"),
        ("until(look, deadline=9, longest_pause=3)", "until(look, deadline=9)", "pass"),
        # The same for arguments in either order.
        ("n = np.maximum(a, b)", "n = np.maximum(b, a)", ""),
        ("s = socket(AF_INET, SOCK_DGRAM)", "s = socket(SOCK_DGRAM, AF_INET)", ""),
        ("s = socket(AF_INET, SOCK_STREAM)", "", "s = socket(SOCK_STREAM, AF_INET)"),
        ("n = min(a, b)", "n = min(b, a)", ""),
        ("n = take(a, b)", "", "n = take(b, a)"),
        (f"{ALIKE}\nok = same(p, q)", f"{ALIKE}\nok = same(q, p)", ""),
        # The same in either order of time.
        ("a.append(x)\nb.append(x)", "b.append(x)\na.append(x)", "a.append(x)\npass"),
        ("a.append(x)\na.append(y)", "", "a.append(y)\na.append(x)"),
        ("a.close()\nb.clear()", "b.clear()\na.close()", "pass\nb.clear()"),
        ("os.close(a)\nos.close(b)", "os.close(b)\nos.close(a)", "pass\nos.close(b)"),
        ("a.close()\nb.start()", "", "b.start()\na.close()"),
        # What only the form of a text or the speed depends on.
        ("t = dumps(d, indent=1)", "t = dumps(d)", ""),
        ("t = dumps(d, sort_keys=True)", "", "t = dumps(d)"),
    ],
)
def test_a_change_after_which_the_code_does_the_same_is_not_drawn(
    source: str, unseen: str, seen: str
) -> None:
    found = changed(source)
    assert unseen not in found
    assert not seen or seen in found


def test_one_function_is_alike_in_its_arguments_only_if_its_code_is() -> None:
    differs = ALIKE.replace("b.y is None", "b.z is None")
    assert f"{differs}\nok = same(q, p)" in changed(f"{differs}\nok = same(p, q)")


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


def test_a_case_may_name_the_package_of_which_it_looks_at_all_modules() -> None:
    seconds = {f"y.py::t[{name}]": 1.0 for name in ("nitro.a", "nitro.ab", "nitro.a.b", "a")}
    covered = Covered({"nitro/a/b.py": {1: []}}, seconds)
    assert covered.tests("nitro/a/b.py", 1, at_import=True) == [
        "y.py::t[nitro.a.b]",
        "y.py::t[nitro.a]",
    ]


def test_a_file_and_lines_of_it_can_be_chosen() -> None:
    path, lines = place("nitro/printable.py:1-31")
    assert (path, lines) == ("nitro/printable.py", range(1, 32))
    assert place("nitro/printable.py:7")[1] == range(7, 8)
    assert place("nitro/")[1] == ALL_LINES
    covered = Covered({path: {line: ["t"] for line in range(1, 100)}}, {})
    everywhere = {mutant.line for mutant in draw(covered, 1, 99, path)}
    assert {mutant.line for mutant in draw(covered, 1, 99, path, lines)} == everywhere & set(lines)
    assert everywhere - set(lines)


def test_a_function_that_only_an_import_calls_is_asked_of_all_tests_of_the_file() -> None:
    """Whichever test comes first imports the module, and others use what it made."""
    path = "nitro/ena/layout.py"
    lines = (Path(__file__).parents[3] / path).read_text().splitlines()
    inside = next(n for n, line in enumerate(lines, 1) if line.startswith("def padding")) + 2
    covered = Covered({path: {1: ["a"], inside - 2: ["a"], inside: ["a"], inside + 9: ["b"]}}, {})
    (mutant,) = draw(covered, 1, 1, path, range(inside, inside + 1))
    assert mutant.tests == ["a", "b"]
    later = Covered({path: {1: ["a"], inside: ["a", "c"], inside + 9: ["b"]}}, {})
    (mutant,) = draw(later, 1, 1, path, range(inside, inside + 1))
    assert mutant.tests == ["a", "c"]
