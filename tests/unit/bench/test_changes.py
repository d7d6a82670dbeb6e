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


@given(st.lists(st.floats(1e-9, 1e12), max_size=60), st.floats(1e-3, 1e3))
def test_any_series_is_judged_and_its_unit_does_not_matter(values, unit):
    found = changes.find(values)
    scaled = changes.find([value * unit for value in values])
    assert len(scaled) <= len(values)
    for change in found:
        assert 0 < change.low <= change.ratio <= change.high
        assert change.index + 2 <= change.found < len(values)
