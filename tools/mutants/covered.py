"""Which test runs which line, and how long each takes: measured once for a state of the tree."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from coverage import CoverageData

# The fast tests and the extended ones, which make no process or machine.
MARKED = "not slow and not boot and not driver and not debug_kernel"

Lines = dict[int, list[str]]


@dataclass(frozen=True)
class Covered:
    """File → line → the tests that run it; and the seconds that each test takes."""

    files: dict[str, Lines]
    seconds: dict[str, float]
    _at_import: dict[str, list[str]] = field(default_factory=dict, init=False)

    def _importing(self, file: str) -> list[str]:
        """The files below the folder of `file` that import it."""
        folder, own = file.rpartition("/")[0], _module(file)
        below = (other for other in self.files if other.startswith(f"{folder}/"))
        return [other for other in below if own in _imports(other)]

    def any_of(self, file: str, lines: set[int]) -> set[str]:
        """The tests that run any of these lines."""
        return {test for line in lines for test in self.files.get(file, {}).get(line, ())}

    def tests(self, file: str, line: int, *, at_import: bool) -> list[str]:
        """The tests to ask about a line, those of fewest files and least time first.

        A line that runs at import is asked of all tests that run something of the file, or of one
        below the same folder that imports it, and of those in files that name the module or have
        its name: what holds only data runs for no test.
        """
        lines = self.files.get(file, {})
        if at_import and line in lines:
            if file not in self._at_import:
                self._at_import[file] = self._in_order(file, self._of_import(file))
            return self._at_import[file]
        return self._in_order(file, lines.get(line, []))

    def _of_import(self, file: str) -> set[str]:
        found = {test for test in self.seconds if _names(test, file)}
        for each in (file, *self._importing(file)):
            found |= self.any_of(each, set(self.files[each]))
        return found

    def _in_order(self, file: str, tests: Iterable[str]) -> list[str]:
        stem = Path(file).stem
        return sorted(
            tests,
            key=lambda test: (f"test_{stem}" not in test, self.seconds.get(test, 1.0), test),
        )


def _module(file: str) -> tuple[str, str]:
    package, _, name = file.removesuffix(".py").replace("/", ".").rpartition(".")
    return package, name


def _names(test: str, file: str) -> bool:
    """Whether the file of `test` is that of the module `file`, or imports it or its package.

    Its package counts where the module holds nothing but data, as one of several alike. A case
    names a package as its parameter: `test_numbers.py::test_…[nitro.ena]`.
    """
    package, module = _module(file)
    case = test.rpartition("[")[2].removesuffix("]")
    if case.startswith("nitro.") and f"{package}.{module}.".startswith(f"{case}."):
        return True
    above, _, folder = package.rpartition(".")
    path = test.partition("::")[0]
    found = _imports(path)
    return (
        Path(path).stem == f"test_{module}"
        or (package, module) in found
        or ((above, folder) in found and _is_data(file))
    )


@cache
def _is_data(file: str) -> bool:
    tree = ast.parse(Path(file).read_text()) if Path(file).is_file() else ast.Module([], [])
    return not any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)
    )


@cache
def _imports(path: str) -> frozenset[tuple[str, str]]:
    """Module and name of each `from … import …` of a file, and a module with each of its names."""
    found: set[tuple[str, str]] = set()
    if Path(path).is_file():
        for node in ast.walk(ast.parse(Path(path).read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                package, _, module = node.module.rpartition(".")
                found |= {(package, module), *((node.module, one.name) for one in node.names)}
    return frozenset(found)


def measure(root: Path, paths: Sequence[str] = ()) -> Covered:
    """Run the fast and extended tests, or those in `paths`, unless the tree is as it was.

    Ends the program when they do not pass: then nothing can be said of mutants.
    """
    kept = root / "build" / "mutants" / f"{_state(root, paths)}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        data, report = kept.with_suffix(".coverage"), kept.with_suffix(".xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--hypothesis-seed=0"]
        command += ["-m", MARKED]
        command += ["--cov", "--cov-report=", "--cov-context=test", f"--junitxml={report}", *paths]
        # Processes that tests start are measured under no test's name: leave them out.
        done = subprocess.run(
            command, cwd=root, env=os.environ | {"COVERAGE_FILE": str(data)}, check=False
        )
        if done.returncode:
            sys.exit("the tests do not pass: no mutant can be judged")
        kept.write_text(json.dumps([_lines(data, root), _seconds(report)]))
        data.unlink()
        report.unlink()
    files, seconds = json.loads(kept.read_text())
    return Covered(
        {name: {int(n): tests for n, tests in lines.items()} for name, lines in files.items()},
        seconds,
    )


def _state(root: Path, paths: Sequence[str]) -> str:
    """A name for all code and tests as they are, and those of them that run."""
    digest = hashlib.sha256("\0".join(sorted(paths)).encode())
    for folder in ("nitro", "tests", "amis"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _lines(path: Path, root: Path) -> dict[str, Lines]:
    data = CoverageData(str(path))
    data.read()
    found: dict[str, Lines] = {}
    for name in sorted(data.measured_files()):
        lines = {
            line: sorted({c.rpartition("|")[0] for c in contexts if c})
            for line, contexts in data.contexts_by_lineno(name).items()
        }
        found[str(Path(name).relative_to(root))] = lines
    return found


def _seconds(report: Path) -> dict[str, float]:
    """Test → seconds, as far as the report's names say which test it is."""
    found: dict[str, float] = defaultdict(float)
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        found[name] += float(case.get("time", 0))
    return dict(found)
