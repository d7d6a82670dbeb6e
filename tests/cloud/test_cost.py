"""What is kept costs."""

from __future__ import annotations

from nitro.cloud import cost


def test_a_gibibyte_costs_the_list_price() -> None:
    kept = cost.of_snapshot(1024**3, "us-east-1")
    assert kept.usd == cost.SNAPSHOT_USD
    assert str(kept).startswith("0.05 USD a month")


def test_another_region_is_told_that_the_price_is_not_its_own() -> None:
    kept = cost.of_snapshot(20_000_000, "eu-central-1")
    assert "less than 0.01 USD" in str(kept)
    assert "price of us-east-1: eu-central-1 may differ" in str(kept)
