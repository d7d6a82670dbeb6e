"""What is kept costs. The figure is a list price and an upper bound, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from nitro.errors import InputError

# Standard tier, us-east-1, US dollars for a GB and month. A list price, which may change:
# https://aws.amazon.com/ebs/pricing/. Registering an AMI costs nothing by itself.
SNAPSHOT_USD = 0.05
PRICE_REGION = "us-east-1"
ELSEWHERE = 2  # times the price of us-east-1 is more than any region asks

# EBS direct APIs, US dollars for a block: https://aws.amazon.com/ebs/pricing/
_BLOCK_WRITTEN_USD, _BLOCK_READ_USD = 6e-6, 3e-6

# On demand, Linux, us-east-1, US dollars an hour: https://aws.amazon.com/ec2/pricing/on-demand/
_ADDRESS_HOUR_USD = 0.005  # of a public IPv4 address: https://aws.amazon.com/vpc/pricing/
HOUR_USD = {
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "c5.large": 0.085,
    "c5.xlarge": 0.17,
    "c5n.large": 0.108,
    "c6i.large": 0.085,
    "c6in.large": 0.1134,
    "c7i.large": 0.08925,
    "m5.large": 0.096,
    "m6i.large": 0.096,
    "m7i.large": 0.1008,
}


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


def of_hour(instance_type: str, region: str) -> float:
    """US dollars that an instance costs an hour, at most. Raises InputError where none is known."""
    if instance_type not in HOUR_USD:
        raise InputError(
            f"the price of {instance_type} is not known here",
            hint=f"known are {', '.join(HOUR_USD)}",
        )
    usd = HOUR_USD[instance_type] + _ADDRESS_HOUR_USD
    return usd * (1 if region == PRICE_REGION else ELSEWHERE)


def of_blocks(written: int, read: int) -> float:
    """US dollars for blocks written and read by the EBS direct APIs, at most."""
    return ELSEWHERE * (written * _BLOCK_WRITTEN_USD + read * _BLOCK_READ_USD)
