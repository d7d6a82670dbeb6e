"""Steps are found within three nights, once, the same for ever, and a lone night is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.bench import changes


def nights(*levels: tuple[int, float], noise: float = 0.015, seed: int = 3) -> np.ndarray:
    """`(count, level)`, with normal noise."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.full(count, level) for count, level in levels])
    return values * np.exp(rng.normal(0, noise, len(values)))


@pytest.mark.parametrize("factor", [0.9, 1.12, 0.5])
def test_a_step_is_found_within_three_nights(factor):
    found = changes.find(nights((20, 1e9), (3, 1e9 * factor)), series=40)
    assert [(c.index, c.found) for c in found] == [(20, 22)]
    assert found[0].low < factor < found[0].high
    assert found[0].ratio == pytest.approx(factor, rel=0.03)


def test_a_step_and_the_way_back_are_two():
    found = changes.find(nights((20, 5.0), (15, 4.0), (15, 5.0)), series=40)
    assert [c.index for c in found] == [20, 35]
    assert found[0].ratio < 1 < found[1].ratio


@pytest.mark.extended
def test_what_was_found_stays_found_as_nights_follow():
    values = nights((20, 5.0), (12, 4.3), (20, 4.0))
    whole = changes.find(values, series=10)
    assert whole
    for end in range(len(values)):
        assert changes.find(values[:end], series=10) == [c for c in whole if c.found < end]


@pytest.mark.parametrize("factor", [0.5, 0.1, 3.0])
def test_a_lone_night_or_two_are_no_step(factor):
    for count in (1, 2):
        assert not changes.find(nights((20, 5.0), (count, 5.0 * factor), (20, 5.0)), series=40)


def test_a_steady_series_has_no_step_and_neither_has_a_short_one():
    assert not changes.find(np.full(60, 7.0))
    assert not changes.find(nights((200, 7.0)), series=40)
    assert not changes.find(nights((7, 9.0), (7, 9.0)))
    assert not changes.find([])


def test_a_change_that_is_too_small_to_matter_is_not_told():
    assert not changes.find(nights((30, 1.0), (30, 0.97), noise=0.001))


def test_more_series_need_clearer_steps():
    assert changes.bound(1) < changes.bound(40) < changes.bound(4000)


@pytest.mark.extended
@given(st.lists(st.floats(1e-9, 1e12), max_size=60), st.floats(1e-3, 1e3))
def test_any_series_is_judged_and_its_unit_does_not_matter(values, unit):
    found = changes.find(values)
    scaled = changes.find([value * unit for value in values])
    assert len(scaled) <= len(values)
    for change in found:
        assert 0 < change.low <= change.ratio <= change.high
        assert change.index + 2 <= change.found < len(values)


@pytest.mark.parametrize(("before", "found"), [(7, False), (8, True)])
def test_eight_nights_make_a_level(before, found):
    """The fewest of which the noise can be told."""
    assert bool(changes.find(nights((before, 5.0), (3, 4.0), noise=0.002))) == found


@pytest.mark.parametrize(("after", "found"), [(2, False), (3, True)])
def test_three_nights_make_a_step(after, found):
    assert bool(changes.find(nights((12, 5.0), (after, 4.0), noise=0.002))) == found


@pytest.mark.extended
def test_a_slow_step_takes_six_nights_at_most():
    """Smaller ones show later: each of the windows from 3 to 6 nights is looked at."""
    seen = {
        change.found - change.index + 1
        for seed in range(60)
        for change in changes.find(nights((30, 5.0), (8, 4.7), noise=0.03, seed=seed))
    }
    assert seen == {3, 4, 5, 6}


def test_only_thirty_nights_before_count():
    """What was long ago does not say what is usual now."""
    values = np.concatenate([nights((10, 5.0), noise=0.3), nights((30, 5.0), (3, 4.5), noise=0.01)])
    wild = np.concatenate([nights((10, 5.0), noise=0.3, seed=9), values[10:]])
    [one], [other] = changes.find(values), changes.find(wild)
    assert one == other
    assert one.index == 40


def test_the_confidence_interval_is_that_of_two_means():
    """With many nights that have one spread, near 1.96 × spread × √(1/after + 1/before)."""
    widths = []
    for seed in range(40):
        [change, *_] = changes.find(nights((30, 5.0), (3, 3.5), noise=0.02, seed=seed))
        widths.append(np.log(change.high / change.low) / 2)
    assert np.mean(widths) == pytest.approx(1.96 * 0.02 * np.sqrt(1 / 3 + 1 / 30), rel=0.1)


def test_nights_without_noise_are_taken_to_have_some():
    """Three equal nights are luck: a step of less than 5 % is none, and one above has a width."""
    assert not changes.find([1.0] * 20 + [1.049] * 4)
    [change] = changes.find([1.0] * 20 + [1.051] * 4)
    assert change.low < 1.051 < change.high
    assert change.high / change.low == pytest.approx(
        1 + 2 * 1.96 * 0.003 * np.sqrt(1 / 3 + 1 / 20), rel=1e-3
    )


def test_one_night_of_three_that_does_not_agree_makes_no_step():
    """A third of the step is the least that each night shows."""
    before = nights((20, 1.0), noise=0.002)
    assert not changes.find([*before, 0.7, 0.7, 0.95])
    assert changes.find([*before, 0.7, 0.7, 0.8])


def test_outliers_before_a_step_do_not_hide_it():
    values = nights((20, 5.0), (3, 4.0), noise=0.01)
    values[[4, 11]] = [2.0, 11.0]
    assert [change.index for change in changes.find(values)] == [20]


@pytest.mark.parametrize(("series", "deviates"), [(0, 3.023), (1, 3.023), (25, 3.891)])
def test_the_bound_is_that_of_a_two_sided_test_of_all_series(series, deviates):
    """One night in a hundred: 0.25 % for each of the four windows of a series, on both sides."""
    assert changes.bound(series) == pytest.approx(deviates, abs=0.001)
