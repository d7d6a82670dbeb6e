"""The names that EC2 gives to addresses.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html#vpc-dns-hostnames
"""

from __future__ import annotations

_FIRST_REGION = "us-east-1"  # whose names are older than the rule


def domain(region: str) -> str:
    """The domain of private names: what DHCP gives, too."""
    return "ec2.internal" if region == _FIRST_REGION else f"{region}.compute.internal"


def private_name(address: str, region: str) -> str:
    return f"ip-{address.replace('.', '-')}.{domain(region)}"


def public_name(address: str, region: str) -> str:
    zone = "compute-1" if region == _FIRST_REGION else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{zone}.amazonaws.com"
