"""What is kept costs."""

from __future__ import annotations

import pytest

from nitro.cloud import cost
from nitro.errors import InputError


def test_a_gibibyte_costs_the_list_price() -> None:
    kept = cost.of_snapshot(1024**3, "us-east-1")
    assert kept.usd == cost.SNAPSHOT_USD
    assert str(kept).startswith("0.05 USD a month")


def test_an_hour_costs_at_most_twice_as_much_elsewhere() -> None:
    assert cost.of_hour("c5.large", "us-east-1") == pytest.approx(0.09)
    assert cost.of_hour("c5.large", "sa-east-1") == pytest.approx(0.18)
    with pytest.raises(InputError, match=r"the price of x1\.32xlarge is not known"):
        cost.of_hour("x1.32xlarge", "us-east-1")


def test_blocks_cost_by_the_request() -> None:
    assert cost.of_blocks(1000, 1000) == pytest.approx(0.018)


def test_another_region_is_told_that_the_price_is_not_its_own() -> None:
    kept = cost.of_snapshot(20_000_000, "eu-central-1")
    assert "less than 0.01 USD" in str(kept)
    assert "price of us-east-1: eu-central-1 may differ" in str(kept)
