"""The card `c6in`."""

from __future__ import annotations

from nitro.ena.constants import Capability
from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="c6in",
    note="network-optimised: wide LLQ entries of 256 bytes, depth halves; hints and "
    "customer metrics [A]",
    llq_wide=True,
    rss_function=True,
    hints=True,
    capabilities=Capability.ENI_STATS | Capability.CUSTOMER_METRICS,
    families=r"[a-z]+[5-7][a-z]*n",
)
