"""What the command costs beside an empty Python program, in one run.

    python -m benchmarks.command [--repeat 15] [--json]

`nitro --help` is to take at most 6 times an empty `python3 -c pass`, and `nitro build` of an image
that is built already at most 10 times. The three take turns, so that whatever else the machine does
meets all of them; compared are the medians of their processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys

AIMS = {"help": 6.0, "build, unchanged": 10.0}
_COMMANDS = {
    "empty": ["-c", "pass"],
    "help": ["-m", "nitro", "--help"],
    "build, unchanged": ["-m", "nitro", "build", "hello"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ratios = measure(options.repeat)
    if options.json:
        json.dump(ratios, sys.stdout, indent=1)
        print()
    else:
        for name, ratio in ratios.items():
            print(f"{name:17} {ratio:4.1f} times an empty program, aim: {AIMS[name]:g}")
    if any(ratio > AIMS[name] for name, ratio in ratios.items()):
        raise SystemExit("a command takes longer than it is to")


def measure(repeat: int) -> dict[str, float]:
    """Processor time of each command over that of an empty program."""
    for words in _COMMANDS.values():  # builds the image, and compiles Python's bytecode
        _seconds(words)
    times: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    for _ in range(repeat):
        for name, words in _COMMANDS.items():
            times[name].append(_seconds(words))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {name: medians[name] / medians["empty"] for name in AIMS}


def _seconds(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


if __name__ == "__main__":
    main()
