"""What no true measurement contradicts: each check raises ProbeError with the figures that do.

The tools' exit codes say nothing about this, and a damaged or interrupted run may print numbers
that look like any other's. docs/probes.md has the table of what is checked for each tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from nitro.errors import ProbeError

SHORTEST = 0.9  # of the time asked for
LONGEST, LATE = 1.5, 2.0  # times the time asked for, and seconds: slow machines end late
COUNTED_TWICE = 1.05  # receiver's bytes for one of the sender's: they are read at two moments


def duration(tool: str, seconds: float, asked: float | None) -> None:
    """A run takes the time that it was asked to take; None: it is not known."""
    if seconds <= 0:
        raise ProbeError(f"{tool} measured for {seconds:g} s")
    if asked is not None and not SHORTEST * asked <= seconds <= LONGEST * asked + LATE:
        raise ProbeError(f"{tool} measured for {seconds:g} s and was asked for {asked:g} s")


def rate(tool: str, figure: float, amount: float, seconds: float, tolerance: float = 0.02) -> None:
    """A rate is an amount in a time, all in the same unit."""
    if figure <= 0 or abs(figure * seconds - amount) > tolerance * amount:
        raise ProbeError(
            f"{tool} contradicts itself: a rate of {figure:g}/s, but {amount:g} in {seconds:g} s"
        )


def at_most(tool: str, what: str, value: float, limit: float) -> None:
    """A value between 0 and a limit, both included."""
    if not 0 <= value <= limit:
        raise ProbeError(f"{tool} gives {what} of {value:g}, which lies outside 0 to {limit:g}")


def count(tool: str, what: str, value: float) -> None:
    """A number of things: whole, and not negative."""
    if value < 0 or value != int(value):
        raise ProbeError(f"{tool} counts {value:g} {what}")


def received(tool: str, what: str, got: float, sent: float, tolerance: float = 1.0) -> None:
    """No more arrives than was sent."""
    if got > tolerance * sent:
        raise ProbeError(f"{tool} received {got:g} {what} of {sent:g} that were sent")


def latencies(tool: str, times: Mapping[str, float]) -> None:
    """`times` has p50 and the like in rising order, then "mean" and "max", in s."""
    ordered = [(name, value) for name, value in times.items() if name != "mean"]
    if ordered[0][1] < 0:
        raise ProbeError(f"{tool} gives a negative {ordered[0][0]} of {ordered[0][1]:g} s")
    for (lower, low), (upper, high) in pairwise(ordered):
        if low > high:
            raise ProbeError(f"{tool} gives {lower} of {low:g} s above {upper} of {high:g} s")
    if not 0 < times["mean"] <= times["max"]:
        raise ProbeError(
            f"{tool} gives a mean of {times['mean']:g} s and a maximum of {times['max']:g} s"
        )
