"""Whether `nitro bench check` finds a real step of 10 % in one cell of four, and nothing else.

    python -m benchmarks.step [--nights 11] [--folder FOLDER]

Virtual machines of the local Nitro measure each night. From the ninth night on, what the instance
type lets in is 10 % less: the shape of its card, which counts no allowances. The other three cells
stay below it. It takes 20 minutes; with --folder it goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

BEFORE, AFTER = 8, 3  # nights: as many as a step needs
FIRST = date(2026, 11, 1)
RATES = {False: "20M", True: "18M"}  # bit/s, by whether the night is after the step
RUNS = 12  # of a night
STEPPED = "c5.large us-east-1 bench nitro iperf3-tcp in"
EXPECTED = [[], [], [f"{STEPPED} tcp_in"]]  # a step needs three nights
PLAN = """
name = "step"
seconds = 2
repetitions = 3
warm_up = 0
[matrix]
types = ["c5.large"]
[[test]]
protocol = "iperf3-tcp"
directions = ["in"]
[[test]]
protocol = "iperf3-udp"
directions = ["in"]
rates = ["5M"]
[[test]]
protocol = "netperf-tcp-rr"
[[test]]
protocol = "netperf-udp-rr"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=BEFORE + AFTER, help="how many of the 11")
    parser.add_argument("--folder", type=Path, help="keeps the record and the local Nitro's state")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = (args.folder or Path(name)).resolve()
        folder.mkdir(exist_ok=True)
        measure(folder, args.nights)
        found = [steps(folder, night) for night in range(BEFORE, args.nights)]
    for number, new in enumerate(found, BEFORE + 1):
        print(f"night {number}:", *(new or ["no step"]), sep="\n  ")
    if args.nights == BEFORE + AFTER and not as_made(found):
        raise SystemExit("other steps were found than the one that was made")


def measure(folder: Path, nights: int) -> None:
    """Measure the first `nights` nights, those before the step in one local Nitro."""
    (folder / "plan.toml").write_text(PLAN)
    for stepped in (False, True):
        numbers = [n for n in range(nights) if (n >= BEFORE) == stepped]
        whole = f"SELECT night FROM samples GROUP BY night HAVING count(*) = {RUNS}"
        there = _nitro(folder, "query", whole, "--json", codes=(0, 2))  # 2: no samples yet
        measured = {row["night"] for row in json.loads(there)} if there else set()
        if measured >= {night_of(n) for n in numbers}:
            continue
        shape = f"c5.large:in={RATES[stepped]},uncounted"
        _run(folder, "local", "up", "--shape", shape)
        try:
            for number in numbers:
                print(_nitro(folder, "run", "plan.toml", "--night", night_of(number)), end="")
        finally:
            _run(folder, "local", "down", "--force")


def as_made(found: list[list[str]]) -> bool:
    """Whether the steps of the nights after the step are the one that was made, told once."""
    return [[step.partition(":")[0] for step in new] for new in found] == EXPECTED


def steps(folder: Path, number: int) -> list[str]:
    """The steps that the check of a night tells, each as "CELL METRIC: change"."""
    text = _nitro(folder, "check", "--night", night_of(number), "--json", codes=(0, 5))
    [verdict] = json.loads(text)
    return [_words(step) for step in verdict["new"]]


def night_of(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def _words(step: dict[str, Any]) -> str:
    change, low, high = (100 * (ratio - 1) for ratio in (step["ratio"], *step["interval"]))
    return f"{step['cell']} {step['metric']}: {change:+.1f} % ({low:+.1f} to {high:+.1f})"


def _nitro(folder: Path, command: str, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """What `nitro bench COMMAND` prints, on the record of the folder."""
    return _run(folder, "bench", command, *words, "--record", "record", codes=codes)


def _run(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    settings = {"NITRO_STATE": str(folder / "state"), "NITRO_CLOUD": "local"}
    done = subprocess.run(
        [sys.executable, "-m", "nitro", *words],
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in codes:
        raise SystemExit(f"nitro {' '.join(words)} ended with code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
