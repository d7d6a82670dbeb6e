"""Draw mutants of the lines that tests run, try them, and print score and survivors."""

from __future__ import annotations

import argparse
import ast
import random
import sys
import time
from pathlib import Path

from tools.mutants import sites
from tools.mutants.covered import Covered, measure
from tools.mutants.judge import Mutant, compile_mutant, judge, warm_up

ROOT = Path(__file__).resolve().parents[2]
ALL_LINES = range(1, sys.maxsize)


def draw(
    covered: Covered, seed: int, count: int, within: str, lines: range = ALL_LINES
) -> list[Mutant]:
    """`count` mutants, the same ones for the same seed and the same tree.

    `within` is the start of the files' paths, `lines` are those whose statements may change.
    """
    every = []
    for file in sorted(covered.files):
        if not file.startswith(within):
            continue
        tree = ast.parse((ROOT / file).read_text())
        inner = _lines_of_functions(tree)
        importing = covered.any_of(file, set(covered.files[file]) - inner)
        for number, site in enumerate(sites.find(tree)):
            # A function that the module itself, or one that imports it, calls for its constants.
            ran = covered.any_of(file, {site.line})
            at_import = site.line not in inner or (bool(ran) and ran <= importing)
            tests = covered.tests(file, site.line, at_import=at_import)
            if tests and site.line in lines:
                every.append((file, number, site, tests))
    random.Random(seed).shuffle(every)
    drawn: list[Mutant] = []
    for file, number, site, tests in every:
        if len(drawn) == count:
            break
        if code := compile_mutant(ROOT, file, number):
            seconds = sum(covered.seconds.get(test, 1.0) for test in tests)
            drawn.append(Mutant(file, site.line, site.change, code, tests, seconds))
    return drawn


def _lines_of_functions(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            body = node.body if isinstance(node.body, list) else [node.body]
            lines |= set(range(body[0].lineno, (body[-1].end_lineno or 0) + 1))
    return lines


def place(text: str) -> tuple[str, range]:
    """A start of paths, and lines: "nitro/cloud/ami.py:60-75"."""
    path, _, lines = text.partition(":")
    first, _, last = lines.partition("-")
    return path, range(int(first), int(last or first) + 1) if lines else ALL_LINES


def main() -> None:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2, help="mutants that are tried at a time")
    parser.add_argument(
        "--within",
        default="nitro/",
        type=place,
        metavar="PATH[:FIRST[-LAST]]",
        help="only files whose path begins so, only these lines",
    )
    parser.add_argument(
        "--tests",
        nargs="*",
        default=(),
        help="only these files and folders of tests (default: all)",
    )
    chosen = parser.parse_args()
    covered = measure(ROOT, chosen.tests)
    warm_up()
    mutants = draw(covered, chosen.seed, chosen.count, *chosen.within)
    started, survivors = time.monotonic(), list[Mutant]()

    def done(mutant: Mutant, noticed: bool) -> None:
        if not noticed:
            survivors.append(mutant)
            print(mutant, flush=True)

    judge(mutants, ROOT, done, chosen.jobs)
    if not mutants:
        sys.exit("no line of it is covered")
    noticed = len(mutants) - len(survivors)
    print(
        f"seed {chosen.seed}: {noticed} of {len(mutants)} mutants noticed "
        f"({noticed / len(mutants):.1%}) in {time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
