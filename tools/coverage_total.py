"""How much of nitro the last measured run of the tests covered: one line for the whole, one for
what joins everything, of whose branches 95 percent are the aim."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageException

JOINT = ("nitro/deploy.py", "nitro/measure.py", "nitro/cli/")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        measured = Coverage()
        try:
            measured.load()
            measured.json_report(outfile=str(path))
        except CoverageException as error:
            sys.exit(f"{error}; `make test-fast` measures")
        report = json.loads(path.read_text())
    totals = report["totals"]
    joint = [of["summary"] for name, of in report["files"].items() if name.startswith(JOINT)]
    taken, there = (sum(of[key] for of in joint) for key in ("covered_branches", "num_branches"))
    lines = totals["covered_lines"], totals["num_statements"]
    branches = totals["covered_branches"], totals["num_branches"]
    print(
        f"nitro: {lines[0]} of {lines[1]} lines ({lines[0] / lines[1]:.1%}) and "
        f"{branches[0]} of {branches[1]} branches ({branches[0] / branches[1]:.1%}) covered"
    )
    print(f"deploy, measure and the commands: {taken} of {there} branches ({taken / there:.1%})")


if __name__ == "__main__":
    main()
