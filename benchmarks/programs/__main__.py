"""Builds and boots programs as a new user would, and writes docs/programs.md.

    python -m benchmarks.programs [--jobs N] [--memory] [NAME…]

Without names, all of `lab.programs.CASES`, N at the same time. Each program has one try. What
other runs have measured stays in the table; `benchmarks/programs/results.json` keeps it.

With --memory, the smallest machine on which each answers is searched by bisection, and only that
is kept: it takes about four boots.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lab.programs import CASES, Case, measured
from nitro.errors import NitroError

HOME = Path(__file__).resolve().parent
RESULTS = HOME / "results.json"
TRIED = HOME / "tried.md"  # by hand, and added to the page
PAGE = HOME.parents[1] / "docs/programs.md"

_HEAD = """\
# Programs

What `python -m benchmarks.programs` built and booted, with the recipe that a new user would write
(`lab/programs/` has them). Each row is one try. Before it, the recipes of unbound, of etcd and of
the changed container image needed a correction.

- *Lines*: of the recipe; 0 where the program's path is enough.
- *Memory*: what nitro computed, and what the machine had.
- *Found*: the smallest machine on which the program answered, to 5 % of the memory, by
  `python -m benchmarks.programs --memory`; these machines start from the disk, as an instance does.
  What is computed leaves out what the program needs beside its files, which etcd's recipe adds.
- *Answer*: seconds from the start of QEMU to the first right answer, under TCG on two cores. QEMU
  starts the kernel itself, as `nitro run` does. On 2026-11-28 nothing else ran.

| Program | Kind | Lines | Image | Memory | Found | Answer | Measured |
|---|---|---|---|---|---|---|---|
"""


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args(words)
    if unknown := set(options.names) - {case.name for case in CASES}:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    wanted = [case for case in CASES if not options.names or case.name in options.names]
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = pool.map(partial(_tried, bisect=options.memory), wanted)
        for case, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed += 1
                print(f"{case.name}: {outcome}", file=sys.stderr, flush=True)
                continue
            print(f"{case.name}: {_told(outcome)}", flush=True)
            _keep(case, outcome)
    return 1 if failed else 0


def _tried(case: Case, *, bisect: bool) -> dict[str, Any] | Exception:
    try:
        return measured(case, bisect=bisect)
    except (NitroError, AssertionError) as error:
        return error


def _told(outcome: dict[str, Any]) -> str:
    if found := outcome.get("found_mib"):
        return f"{found} of {outcome['memory_mib']} MiB"
    return f"{outcome['seconds']:.1f} s"


def _keep(case: Case, outcome: dict[str, Any]) -> None:
    """Add to the results, as they are now: another run may have written as well."""
    results = json.loads(RESULTS.read_text())
    before = results.get(case.name, {})
    if "found_mib" in outcome and before:
        before.update(memory_mib=outcome["memory_mib"], found_mib=outcome["found_mib"])
        outcome = before
    elif "found_mib" in before and before["image_mb"] == outcome["image_mb"]:
        outcome["found_mib"] = before["found_mib"]
    results[case.name] = outcome
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(_HEAD + "".join(_rows(results)) + "\n" + TRIED.read_text())


def _rows(results: dict[str, Any]) -> Iterable[str]:
    for case in CASES:
        if one := results.get(case.name):
            yield (
                f"| {case.name} | {case.family} | {one['lines']} | {one['image_mb']:.1f} MB "
                f"| {one['memory_mib']} MiB | {_found(one)} | {one['seconds']:.1f} s "
                f"| {one['date']} |\n"
            )


def _found(one: dict[str, Any]) -> str:
    return f"{one['found_mib']} MiB" if "found_mib" in one else "not searched"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
