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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coverage import CoverageData

Lines = dict[int, list[str]]


@dataclass(frozen=True)
class Covered:
    """File → line → the tests that run it; and the seconds that each test takes."""

    files: dict[str, Lines]
    seconds: dict[str, float]

    def any_of(self, file: str, lines: set[int]) -> set[str]:
        """The tests that run any of these lines."""
        return {test for line in lines for test in self.files.get(file, {}).get(line, ())}

    def tests(self, file: str, line: int, *, at_import: bool) -> list[str]:
        """The tests to ask about a line, those of fewest files and least time first.

        A line that runs at import is asked of all tests that run something of the file, and of
        those in files that name the module or have its name: what holds only data runs for no test.
        """
        lines = self.files.get(file, {})
        found = lines.get(line, [])
        if at_import and line in lines:
            running = self.any_of(file, set(lines))
            found = sorted(running | {test for test in self.seconds if _names(test, file)})
        stem = Path(file).stem
        return sorted(
            found,
            key=lambda test: (f"test_{stem}" not in test, self.seconds.get(test, 1.0), test),
        )


def _names(test: str, file: str) -> bool:
    """Whether the file of `test` is that of the module `file`, or imports it or its package.

    Its package counts where the module holds nothing but data, as one of several alike.
    """
    package, _, module = file.removesuffix(".py").replace("/", ".").rpartition(".")
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
    """Run the fast tests under coverage, or those in `paths`, unless the tree is as it was.

    Ends the program when they do not pass: then nothing can be said of mutants.
    """
    kept = root / "build" / "mutants" / f"{_state(root, paths)}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        data, report = kept.with_suffix(".coverage"), kept.with_suffix(".xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--hypothesis-seed=0"]
        command += ["--cov", "--cov-report=", "--cov-context=test", f"--junitxml={report}", *paths]
        # Processes that tests start are measured under no test's name: leave them out.
        done = subprocess.run(
            command, cwd=root, env=os.environ | {"COVERAGE_FILE": str(data)}, check=False
        )
        if done.returncode:
            sys.exit("the fast tests do not pass: no mutant can be judged")
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
