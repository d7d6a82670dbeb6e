"""What differs between the cards of instance generations, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nitro.ena.constants import Capability, RxOffload, TxOffload


@dataclass(frozen=True, slots=True)
class Profile:
    """One generation's card. Sizes in entries unless they say otherwise."""

    name: str
    note: str
    queues: int = 8
    tx_depth: int = 1024
    # Amazon's guides say 256 to 1,024 for TX and, by instance type, up to 16,384 for RX; not which
    # type has what. Drivers use 1,024 until they are told otherwise.
    rx_depth: int = 16384
    max_tx_descriptors: int = 19
    # Linux takes 19 by its own limit, but an skb holds its first buffer and 17 more: with 19 it
    # writes past its end (seen with 6.12).
    max_rx_descriptors: int = 18
    max_mtu: int = 9216
    speed_mbps: int = 10_000

    llq: bool = True
    llq_wide: bool = False
    llq_wide_depth: int = 512
    llq_only: bool = False
    meta_required: bool = False
    meta_caching: bool = True
    max_burst_bytes: int = 0

    # An r4.large (amzn-drivers, issue 29) and a type of 2025 (its pull request 360) show TCP and
    # UDP sums of IPv4 on transmission alone: no IPv6 sums, no segmentation, no receive verdicts.
    tx_offloads: TxOffload = TxOffload.L4_V4_PARTIAL
    rx_offloads: RxOffload = RxOffload.HASH
    rss_function: bool = False  # whether hash key and function can be set [H]
    rss_needs_programming: bool = False
    rx_region_by_hash: bool = False
    # Whether TCP segments that the host merged, up to 64 KiB, are handed over whole. No card of
    # AWS does; it is what makes the local one quick.
    merged_segments: bool = False
    moderation_us: int = 1
    hints: bool = False
    capabilities: Capability = Capability.ENI_STATS

    needs_host_info: bool = False
    needs_driver_version_2: bool = False
    needs_aenq: bool = False

    faults: tuple[str, ...] = ()
    fault_seed: int = 0
    #: families of instance types that have the card, as a regular expression; a family that no
    #: profile names has the card of c5
    families: str = ""
