"""What is kept costs. The figure is a list price and an upper bound, and says so."""

from __future__ import annotations

from dataclasses import dataclass

# Standard tier, us-east-1, US dollars for a GB and month. A list price, which may change:
# https://aws.amazon.com/ebs/pricing/. Registering an AMI costs nothing by itself.
SNAPSHOT_USD = 0.05
PRICE_REGION = "us-east-1"


@dataclass(frozen=True)
class Cost:
    """US dollars a month, at most, and what the figure stands on."""

    usd: float
    note: str

    def __str__(self) -> str:
        shown = f"{self.usd:.2f}" if self.usd >= 0.01 else "less than 0.01"
        return f"{shown} USD a month ({self.note})"


def of_snapshot(size_bytes: int, region: str) -> Cost:
    """A snapshot of a disk of `size_bytes`: only blocks that hold data are charged."""
    note = f"at most {size_bytes / 1e6:.1f} MB of snapshot at {SNAPSHOT_USD} USD per GB"
    if region != PRICE_REGION:
        note += f", the price of {PRICE_REGION}: {region} may differ"
    return Cost(size_bytes / 1024**3 * SNAPSHOT_USD, note)
