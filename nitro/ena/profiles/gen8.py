"""The card `gen8`."""

from __future__ import annotations

from nitro.ena.constants import Capability
from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="gen8",
    note="8th generation: LLQ only, meta descriptor in every packet, RX ring region by "
    "hash, indirection table unusable until programmed [X] [N] [O]",
    llq_wide=True,
    llq_wide_depth=1024,
    llq_only=True,
    meta_required=True,
    meta_caching=False,
    max_burst_bytes=4096,
    rss_function=True,
    rss_needs_programming=True,
    rx_region_by_hash=True,
    needs_host_info=True,
    needs_aenq=True,
    capabilities=Capability.ENI_STATS | Capability.EXTENDED_RESET_REASONS,
    families=r"[a-z]+8[a-z-]*",
)
