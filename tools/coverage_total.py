"""How much of nitro the last measured run of the tests covered: one line."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageException


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        measured = Coverage()
        try:
            measured.load()
            measured.json_report(outfile=str(path))
        except CoverageException as error:
            sys.exit(f"{error}; `make test-fast` measures")
        totals = json.loads(path.read_text())["totals"]
    lines = totals["covered_lines"], totals["num_statements"]
    branches = totals["covered_branches"], totals["num_branches"]
    print(
        f"nitro: {lines[0]} of {lines[1]} lines ({lines[0] / lines[1]:.1%}) and "
        f"{branches[0]} of {branches[1]} branches ({branches[0] / branches[1]:.1%}) covered"
    )


if __name__ == "__main__":
    main()
