"""How much of nitro the last measured run of the tests covered: one line for the whole, one for
what joins everything, of whose branches 95 percent are the aim."""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from coverage import Coverage
from coverage.exceptions import CoverageException

JOINT = ("nitro/deploy.py", "nitro/measure.py", "nitro/cli/")
HALF = ["nitro/local/*", "nitro/ena/*"]  # of the code: each half takes seconds of a processor
Files = dict[str, dict[str, int]]


def read(which: dict[str, Any]) -> Files:
    """What was counted in each file that `which` includes, or does not omit."""
    measured = Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        measured.json_report(outfile=str(path), **which)
        report = json.loads(path.read_text())
    return {name: of["summary"] for name, of in report["files"].items()}


def main() -> None:
    try:
        with ProcessPoolExecutor() as pool:
            halves = list(pool.map(read, ({"include": HALF}, {"omit": HALF})))
    except CoverageException as error:
        sys.exit(f"{error}; `make test-fast` measures")
    files = halves[0] | halves[1]

    def total(key: str, start: tuple[str, ...] = ("",)) -> int:
        return sum(of[key] for name, of in files.items() if name.startswith(start))

    lines = total("covered_lines"), total("num_statements")
    branches = total("covered_branches"), total("num_branches")
    taken, there = total("covered_branches", JOINT), total("num_branches", JOINT)
    print(
        f"nitro: {lines[0]} of {lines[1]} lines ({lines[0] / lines[1]:.1%}) and "
        f"{branches[0]} of {branches[1]} branches ({branches[0] / branches[1]:.1%}) covered"
    )
    print(f"deploy, measure and the commands: {taken} of {there} branches ({taken / there:.1%})")


if __name__ == "__main__":
    main()
