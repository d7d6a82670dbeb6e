"""Builds and boots programs as a new user would, and writes docs/programs.md.

    python -m benchmarks.programs [--jobs N] [NAME…]

Without names, all of `lab.programs.CASES`, N at the same time. Each program has one try. What
other runs have measured stays in the table; `benchmarks/programs/results.json` keeps it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.programs import CASES, Case, measured
from nitro.errors import NitroError

HOME = Path(__file__).resolve().parent
RESULTS = HOME / "results.json"
PAGE = HOME.parents[1] / "docs/programs.md"

_HEAD = """\
# Programs

What `python -m benchmarks.programs` built and booted, with the recipe that a new user would write
(`lab/programs/` has them). Each row is one try. Before it, the recipes of unbound, of etcd and of
the changed container image needed a correction.

Programs of that folder that are not in the table have not been measured yet.

- *Lines*: of the recipe; 0 where the program's path is enough.
- *Memory*: what nitro computed, and what the machine had.
- *Answer*: seconds from the start of QEMU to the first right answer, under TCG on two cores with
  little other work.

| Program | Kind | Lines | Image | Memory | Answer | Measured |
|---|---|---|---|---|---|---|
"""


def main(words: list[str]) -> int:
    jobs = 1
    if words[:1] == ["--jobs"] and len(words) > 1 and words[1].isdigit():
        jobs, words = int(words[1]), words[2:]
    unknown = set(words) - {case.name for case in CASES}
    if unknown:
        print(f"no such program: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    wanted = [case for case in CASES if not words or case.name in words]
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for case, outcome in zip(wanted, pool.map(_tried, wanted), strict=True):
            if isinstance(outcome, Exception):
                failed += 1
                print(f"{case.name}: {outcome}", file=sys.stderr, flush=True)
                continue
            print(f"{case.name}: {outcome['seconds']:.1f} s", flush=True)
            results = json.loads(RESULTS.read_text())  # other runs may write as well
            results[case.name] = outcome
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            PAGE.write_text(_HEAD + "".join(_rows(results)))
    return 1 if failed else 0


def _tried(case: Case) -> dict[str, Any] | Exception:
    try:
        return measured(case)
    except (NitroError, AssertionError) as error:
        return error


def _rows(results: dict[str, Any]) -> Iterable[str]:
    for case in CASES:
        if one := results.get(case.name):
            yield (
                f"| {case.name} | {case.family} | {one['lines']} | {one['image_mb']:.1f} MB "
                f"| {one['memory_mib']} MiB | {one['seconds']:.1f} s | {one['date']} |\n"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
