"""What differs between the cards of instance generations, as data.

Sources, by mark: [A] AWS's driver repository, its documentation and issues; [H] the hash
calculator of amzn-ec2-ena-utilities: a key can be set on the network-accelerated types of the 5th
generation and on some of the 6th, elsewhere it is fixed; [X] commit messages
of iPXE's driver, written from real hardware; [N] Nanos' driver history; [O] the OSv port's pull
request. Nothing here was read off a card by us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from nitro.ena.constants import Capability, RxOffload, TxOffload
from nitro.errors import InputError

ALL_TX_OFFLOADS = (
    TxOffload.L3_CSUM
    | TxOffload.L4_V4_PARTIAL
    | TxOffload.L4_V4_FULL
    | TxOffload.L4_V6_PARTIAL
    | TxOffload.L4_V6_FULL
    | TxOffload.TSO_V4
    | TxOffload.TSO_V6
    | TxOffload.TSO_ECN
)
ALL_RX_OFFLOADS = RxOffload.L3_CSUM | RxOffload.L4_V4_CSUM | RxOffload.L4_V6_CSUM | RxOffload.HASH


@dataclass(frozen=True, slots=True)
class Profile:
    """One generation's card. Sizes in entries unless they say otherwise."""

    name: str
    note: str
    queues: int = 8
    tx_depth: int = 1024
    rx_depth: int = 1024
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
    families: str = ""  # of instance types, as a regular expression


PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile(
            name="c5",
            note="5th to 7th generation x86: LLQ with readable defaults [A]",
        ),
        Profile(
            name="t4g",
            note="burstable Graviton2 and types of the Xen era: no LLQ, no BAR 2 [A]",
            llq=False,
            families=r"t4g|[mr]4|i3|x1e?|p[23]|g3s?|h1|f1",
        ),
        Profile(
            name="c6in",
            note="network-optimised: wide LLQ entries of 256 bytes, depth halves; hints and "
            "customer metrics [A]",
            llq_wide=True,
            rss_function=True,
            hints=True,
            capabilities=Capability.ENI_STATS | Capability.CUSTOMER_METRICS,
            families=r"[a-z]+[5-7][a-z]*n",
        ),
        Profile(
            name="strict-firmware",
            note="CREATE_CQ fails without host info or with a driver version other than 2 [X]",
            needs_host_info=True,
            needs_driver_version_2=True,
        ),
        Profile(
            name="graviton",
            note="every admin command fails until an event queue is set up [X]",
            needs_aenq=True,
            families=r"a1|[a-z]+[2-7]g[a-z]*",
        ),
        Profile(
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
        ),
        Profile(
            name="minimal",
            note="hardly more than Linux insists on",
            llq=False,
            queues=1,
            tx_offloads=TxOffload(0),
            rx_offloads=RxOffload(0),
            moderation_us=0,
            capabilities=Capability(0),
        ),
    )
}


def find(name: str) -> Profile:
    """The profile of that name, or of an instance type (`c5.large`), or `hostile:FAULT,…[@SEED]`.

    Raises InputError for a name that is none of these.
    """
    if name.startswith("hostile:"):
        return _hostile(name)
    if name in PROFILES:
        return PROFILES[name]
    family, dot, _ = name.partition(".")
    if dot:
        matching = (p for p in PROFILES.values() if re.fullmatch(p.families, family))
        return next(matching, PROFILES["c5"])
    known = ", ".join(PROFILES)
    raise InputError(f"no ENA profile named {name}", hint=f"known: {known}, hostile:FAULT")


def with_all_offloads(profile: Profile) -> Profile:
    """The same card with every offload there is, also those that no fleet has: for speed."""
    return replace(
        profile,
        tx_offloads=ALL_TX_OFFLOADS,
        rx_offloads=ALL_RX_OFFLOADS,
        merged_segments=True,
    )


def _hostile(name: str) -> Profile:
    from nitro.ena.faults import FAULTS

    wanted, _, seed = name.removeprefix("hostile:").partition("@")
    faults = tuple(FAULTS) if wanted == "any" else tuple(wanted.split(","))
    for fault in faults:
        if fault not in FAULTS:
            raise InputError(f"no fault named {fault!r}", hint="known: " + ", ".join(FAULTS))
    if seed and not seed.isdecimal():
        raise InputError(f"the seed {seed!r} of profile {name} is not a number")
    return replace(PROFILES["c5"], name=name, faults=faults, fault_seed=int(seed or 0))
