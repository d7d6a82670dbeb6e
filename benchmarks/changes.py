"""How often `nitro bench check` finds a step, and how often it finds one that is not there.

    python -m benchmarks.changes [--peers PYTHON] [--simulations 200] [--seed 1]

Simulates nights of 40 cells with noise like that published for EC2's networks, of which
docs/benchmarking.md names the sources. With `--peers`, a Python that has ruptures and apache-otava,
these judge the same series at their defaults. A step counts as found when it is told within three
nights; an alarm is a step told in a night of series without any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nitro.bench import changes

Numbers = npt.NDArray[np.float64]

CELLS, REPETITIONS, PLANTED, WITHIN = 40, 10, 0.9, 3
NIGHTS, STEADY = 20, 100  # of a simulation with a step; nights judged in one without, after NIGHTS
FAMILIES = ("normal", "student", "left-tail", "slow-mode")


@dataclass(frozen=True)
class Cell:
    """What one cell's noise is like: a cell keeps it for all nights.

    `spread` is of a repetition, `night` of what all repetitions of a night share (the hosts on
    which the pair lies), `memory` how much of the latter a night takes over from the one before.
    """

    family: str
    spread: float
    night: float
    memory: float


def draw_cell(rng: np.random.Generator) -> Cell:
    return Cell(
        family=FAMILIES[rng.integers(len(FAMILIES))],
        spread=float(rng.uniform(0.01, 0.04)),
        night=float(rng.uniform(0.005, 0.015)),
        memory=float(rng.choice([0.0, 0.0, 0.3, 0.5])),
    )


def nights(rng: np.random.Generator, cell: Cell, count: int) -> Numbers:
    """The nightly medians of a cell: its level is 1."""
    runs = _noise(rng, cell.family, (count, REPETITIONS), cell.spread)
    shocks = rng.normal(0, cell.night, count)
    shared = np.empty(count)
    shared[0] = shocks[0]
    for night in range(1, count):
        kept = np.sqrt(1 - cell.memory**2)
        shared[night] = cell.memory * shared[night - 1] + kept * shocks[night]
    # One night in fifty has slow hosts: all of its repetitions lose 8 %.
    shared -= np.where(rng.random(count) < 0.02, 0.08, 0.0)
    values: Numbers = np.exp(np.median(runs, axis=1) + shared)
    return values


def _noise(rng: np.random.Generator, family: str, shape: tuple[int, int], spread: float) -> Numbers:
    match family:
        case "normal":
            return rng.normal(0, spread, shape)
        case "student":
            heavy: Numbers = rng.standard_t(3, shape) * spread / np.sqrt(3)
            return heavy
        case "left-tail":
            sigma = 0.8
            mean = np.exp(sigma**2 / 2)
            sd = mean * np.sqrt(np.exp(sigma**2) - 1)
            tail: Numbers = -(rng.lognormal(0, sigma, shape) - mean) / sd * spread
            return tail
        case _:  # 15 % of the repetitions take a slower path
            slow = np.where(rng.random(shape) < 0.15, -0.1, 0.0)
            return rng.normal(0, min(spread, 0.01), shape) + slow


def own(series: Sequence[Numbers]) -> list[list[tuple[int, int]]]:
    """(first night of the step, night that told it) for each series, of CELLS that are judged."""
    return [[(c.index, c.found) for c in changes.find(one, CELLS)] for one in series]


def peers(python: str, series: Sequence[Numbers]) -> dict[str, list[list[tuple[int, int]]]]:
    """The same by other tools, which see each night's history anew, as a nightly job would."""
    done = subprocess.run(
        [python, "-c", _PEERS],
        input=json.dumps([one.tolist() for one in series]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[list[tuple[int, int]]]] = json.loads(done.stdout)
    return found


_PEERS = """
import json, sys
import numpy as np
import ruptures
from otava.analysis import compute_change_points

def otava(values):
    return [p.index for p in compute_change_points(list(values))[0]]

def pelt(values):
    x = (values - np.mean(values)) / (np.std(values) or 1)
    return ruptures.Pelt(model="rbf").fit(x.reshape(-1, 1)).predict(pen=10)[:-1]

def told(judge, values):
    seen, steps = [], []
    for end in range(11, len(values) + 1):
        for index in judge(np.array(values[:end])):
            if all(abs(index - other) > 5 for other in seen):
                seen.append(index)
                steps.append((int(index), end - 1))
    return steps

series = json.load(sys.stdin)
tools = {"Otava": otava, "ruptures (PELT, rbf, pen=10)": pelt}
print(json.dumps({name: [told(f, s) for s in series] for name, f in tools.items()}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="a Python with ruptures and apache-otava")
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--steady", type=int, default=20, help="runs of 100 nights without a step")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    stepped, steps = [], []
    for _ in range(args.simulations):
        # The other 39 cells matter by their number only, which sets the bound.
        step = int(rng.integers(12, NIGHTS - WITHIN + 1))
        series = nights(rng, draw_cell(rng), NIGHTS)
        series[step:] *= PLANTED
        stepped.append(series)
        steps.append(step)
    steady = [nights(rng, draw_cell(rng), NIGHTS + STEADY) for _ in range(CELLS * args.steady)]
    print(f"{args.simulations} steps of 10 % after 12 to 17 of {NIGHTS} nights, seed {args.seed};")
    print(f"{args.steady} times {STEADY} nights of {CELLS} cells without a step")
    told = {"nitro bench check": (own(stepped), own(steady))}
    if args.peers:
        both = peers(args.peers, stepped), peers(args.peers, steady)
        told |= {name: (both[0][name], both[1][name]) for name in both[0]}
    for name, (of_stepped, of_steady) in told.items():
        found = sum(
            any(abs(index - step) <= 1 and step <= night < step + WITHIN for index, night in one)
            for one, step in zip(of_stepped, steps, strict=True)
        )
        alarms = sum(night >= NIGHTS for one in of_steady for _, night in one)
        shown = f"{100 * found / args.simulations:5.1f} %   {alarms / args.steady:6.2f}"
        print(f"{name:30} found {shown} false alarms in 100 nights")


if __name__ == "__main__":
    main()
