"""Builds and boots programs as a new user would, and writes docs/programs.md.

    python -m benchmarks.programs [--jobs N] [NAME…]

Without names, all of `cases.CASES`, N at the same time. Each program has one try. What other runs
have measured stays in the table; `benchmarks/programs/results.json` keeps it.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.programs.cases import CASES, Case
from lab.image import Booted, booted
from nitro import container, image, recipe
from nitro.errors import NitroError
from nitro.ports import Port
from nitro.progress import Reporter
from nitro.recipe import Recipe

HOME = Path(__file__).resolve().parent
RESULTS = HOME / "results.json"
PAGE = HOME.parents[1] / "docs/programs.md"
PATIENCE = 150.0  # seconds, on a machine that does other work as well

_HEAD = """\
# Programs

What `python -m benchmarks.programs` built and booted, one try each, with the recipe that a new user
would write (`benchmarks/programs/cases.py` has them).

Programs of that file that are not in the table have not been measured yet.

- *Lines*: of the recipe; 0 where the program's path is enough.
- *Memory*: what nitro computed, and what the machine had.
- *Answer*: seconds from the start of QEMU to the first right answer, under TCG on two cores that
  did other work as well: it says that the program runs, and not how fast.

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
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    wanted = [case for case in CASES if not words or case.name in words]
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for case, outcome in zip(wanted, pool.map(_tried, wanted), strict=True):
            if isinstance(outcome, Exception):
                failed += 1
                print(f"{case.name}: {outcome}", file=sys.stderr, flush=True)
                continue
            print(f"{case.name}: {outcome['seconds']:.1f} s", flush=True)
            results[case.name] = outcome
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            PAGE.write_text(_HEAD + "".join(_rows(results)))
    return 1 if failed else 0


def _tried(case: Case) -> dict[str, Any] | Exception:
    try:
        return measured(case)
    except (NitroError, AssertionError) as error:
        return error


def made(case: Case, folder: Path) -> Recipe:
    """The recipe of `case`, whose files are written to `folder`."""
    for name, text in case.files.items():
        (folder / name).write_text(text)
    case.make(folder)
    kind, colon, place = case.program.partition(":")
    if colon:
        return container.complete(recipe.for_container(f"{kind}:{folder / place}"))
    if case.program:
        return recipe.for_script(folder / case.program, ports=[Port("tcp", case.port)])
    path = folder / "program.toml"
    path.write_text(case.recipe)
    return recipe.load(path)


def measured(case: Case) -> dict[str, Any]:
    """Build and boot `case` and ask it until it answers.

    Raises NitroError when it cannot be built, AssertionError when it does not answer.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = image.build(made(case, folder), report=Reporter())
        started = time.monotonic()
        with booted(built, folder) as machine:
            _until_answer(case, machine, started + PATIENCE)
            seconds = time.monotonic() - started
    return {
        "family": case.family,
        "lines": case.lines,
        "image_mb": round(built.size_bytes / 1e6, 1),
        "memory_mib": built.minimum_memory_mib,
        "seconds": round(seconds, 1),
        "date": date.today().isoformat(),
    }


def _until_answer(case: Case, machine: Booted, deadline: float) -> None:
    while time.monotonic() < deadline:
        if machine.process.poll() is not None:
            break
        try:
            if case.answer in _ask(machine, case):
                return
        except OSError:
            pass
        time.sleep(0.2)
    end = "\n".join(machine.console.splitlines()[-15:])
    raise AssertionError(f"no answer; the console ends with:\n{end}")


def _ask(machine: Booted, case: Case) -> bytes:
    found = b""
    with socket.create_connection(("127.0.0.1", machine.ports[case.port]), timeout=5) as client:
        client.sendall(case.ask)
        while case.answer not in found and (block := client.recv(65536)):
            found += block
    return found


def _rows(results: dict[str, Any]) -> Iterable[str]:
    for case in CASES:
        if one := results.get(case.name):
            yield (
                f"| {case.name} | {case.family} | {one['lines']} | {one['image_mb']:.1f} MB "
                f"| {one['memory_mib']} MiB | {one['seconds']:.1f} s | {one['date']} |\n"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
