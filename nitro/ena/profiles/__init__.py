"""The cards of instance generations: one file for each, with a `PROFILE`.

A file that is put into this folder is found by its profile's name and families. Sources, by mark:
[A] AWS's driver repository, its documentation and issues; [H] the hash calculator of
amzn-ec2-ena-utilities: a key can be set on the network-accelerated types of the 5th generation and
on some of the 6th, elsewhere it is fixed; [X] commit messages of iPXE's driver, written from real
hardware; [N] Nanos' driver history; [O] the OSv port's pull request. Nothing here was read off a
card by us.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import replace

from nitro.ena.constants import RxOffload, TxOffload
from nitro.ena.profiles.profile import Profile
from nitro.errors import InputError

__all__ = ["ALL_RX_OFFLOADS", "ALL_TX_OFFLOADS", "PROFILES", "Profile", "find", "with_all_offloads"]

DEFAULT = "c5"  # the card of types that no profile names

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


def load() -> dict[str, Profile]:
    """The profiles of this folder by their names."""
    modules = (
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    )
    found = (getattr(module, "PROFILE", None) for module in modules)
    return {profile.name: profile for profile in found if profile}


PROFILES = load()


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
        return next(matching, PROFILES[DEFAULT])
    known = ", ".join(sorted(PROFILES))
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
    return replace(PROFILES[DEFAULT], name=name, faults=faults, fault_seed=int(seed or 0))
