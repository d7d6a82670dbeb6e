"""Steps in a series of nights, found as each night comes: where, how large, and when it was seen.

The nights are judged in their order, and a verdict rests on that night and those before it only.
What was found once is found again, however many nights follow: a segment ends where a step was
found, and the next one begins there.

For each night, its last 3 to 6 nights are compared with up to 30 before them in the segment: the
difference of their means over its standard error, both robust. A single night cannot be a step,
and outliers before it count as noise that the series has. The bound follows from how many series
are judged together, so that the rate of false alarms is that of all of them (`ALARMS`);
docs/benchmarking.md has the rates that were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

AFTER = range(3, 7)  # nights after a step
BEFORE = range(8, 31)  # nights before it
ALARMS = 0.01  # false ones a night, over all series
SMALLEST = 0.05  # of a level: nights that depend on each other drift by less than that
_LEAST_NOISE = 0.003  # of a night's value; less, in a few nights, is luck
_MAD = 1.4826  # standard deviations of a normal distribution in its median absolute deviation
_AGREEING = 1 / 3  # of a step, which each night after it shows at least
_BEFORE_CLIP, _AFTER_CLIP = 3.0, 1.5  # standard deviations around the median that count


@dataclass(frozen=True, slots=True)
class Change:
    """A step: `index` is the first night of the new level, `found` the night that showed it.

    `ratio` is the new level over the old one, `low` and `high` its 95 % confidence interval.
    """

    index: int
    found: int
    ratio: float
    low: float
    high: float


def bound(series: int) -> float:
    """How many standard errors a difference needs when so many series are judged together."""
    tests = max(series, 1) * len(AFTER)
    return NormalDist().inv_cdf(1 - ALARMS / tests / 2)


def find(values: Sequence[float] | Numbers, series: int = 1) -> list[Change]:
    """The steps in the nightly values of one of `series` series, all positive, oldest first."""
    logs = np.log(np.asarray(values, dtype=np.float64))
    limit, found, start = bound(series), [], 0
    while change := _first(logs, start, limit):
        found.append(change)
        start = change.index
    return found


def _first(logs: Numbers, start: int, limit: float) -> Change | None:
    """The first step that shows after `start`, the first night of the segment."""
    hits: list[tuple[int, float, int, float, float]] = []
    segment = logs[start:]
    for after in AFTER:
        ends = np.arange(BEFORE.start + after - 1, len(segment))
        if not len(ends):
            break
        shifts, errors, scores = _compare(segment, ends, after)
        beyond = np.flatnonzero((scores > limit) & (np.abs(shifts) >= np.log1p(SMALLEST)))
        for hit in beyond[:1].tolist():
            row = (int(ends[hit]), -float(scores[hit]), after, float(shifts[hit]))
            hits.append((*row, float(errors[hit])))
    if not hits:
        return None
    end, _, after, shift, error = min(hits)  # the earliest, and of those the clearest
    low, high = (float(np.exp(shift + sign * 1.96 * error)) for sign in (-1, 1))
    index = start + end - after + 1
    return Change(index, start + end, float(np.exp(shift)), low, high)


def _compare(segment: Numbers, ends: Counts, after: int) -> tuple[Numbers, Numbers, Numbers]:
    """For each end: the shift of its last `after` nights, its standard error, and its score.

    The score is the normal deviate with the probability that Student's t has (Wallace 1959).
    """
    window = BEFORE.stop - 1
    padded = np.concatenate([np.full(window, np.nan), segment])
    views = np.lib.stride_tricks.sliding_window_view(padded, window + after)
    # The view that ends with night e begins `window + after - 1` before it, in `padded` at e - …
    chosen = views[ends - after + 1]
    before, tail = np.sort(chosen[:, :window], axis=1), chosen[:, window:]  # nan last
    count = np.minimum(ends - after + 1, window)
    middle = _median(before, count)
    spread = _MAD * _median(np.sort(np.abs(before - middle[:, None]), axis=1), count)
    spread = np.maximum(spread, _LEAST_NOISE)
    reach = (_BEFORE_CLIP * spread)[:, None]
    clipped = np.clip(before, middle[:, None] - reach, middle[:, None] + reach)
    mean = np.nansum(clipped, axis=1) / count
    variance = np.nansum((clipped - mean[:, None]) ** 2, axis=1) / (count - 1)
    noise = np.maximum(np.sqrt(variance), _LEAST_NOISE)
    level = np.median(tail, axis=1)[:, None]
    reach = (_AFTER_CLIP * noise)[:, None]
    shift = np.clip(tail, level - reach, level + reach).mean(axis=1) - mean
    # Two nights off and one that is not are no step, however far off the two are.
    agreeing = np.min((tail - mean[:, None]) * np.sign(shift)[:, None], axis=1)
    shift = np.where(agreeing >= _AGREEING * np.abs(shift), shift, 0.0)
    error = noise * np.sqrt(1 / after + 1 / count)
    t, freedom = shift / error, count - 1
    score = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(t**2 / freedom))
    return shift, error, score


def _median(ordered: Numbers, count: Counts) -> Numbers:
    """Of the first `count` numbers of each row, which are in order."""
    rows = np.arange(len(ordered))
    return (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2
