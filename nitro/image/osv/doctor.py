"""Which of the added kernels have a driver for the ENA card; what is known of OSv's own."""

from __future__ import annotations

from collections.abc import Sequence

from nitro.check import Check
from nitro.image.osv import store

#: of the driver that kernels have whose `drivers` name "ena", added to OSv in November 2023
OWN_DRIVER = (
    "OSv's own ENA driver fails one boot in twenty with two processors or more, and dies after a "
    'lost keep-alive under traffic: prefer driver = "nitro" (docs/osv-driver-faults.md)'
)

OWN_DRIVER_PROCESSORS = 1
"""With how many it is run, unless somebody asks for more."""
ONE_PROCESSOR = "OSv's own ENA driver fails some boots with more; --processors has the last word"


def examine() -> list[Check]:
    """A check of each kernel, which never fails: nobody has to deploy it."""
    return [_check(name) for name in store.names()]


def notes(drivers: Sequence[str]) -> list[str]:
    """What a person should know before an image uses the kernel's own driver, a line each.

    `drivers` are those that nitro can name of a kernel's.
    """
    if "ena" in drivers:
        return [OWN_DRIVER]
    return ["this kernel has no driver of its own for the ENA card: an instance has no network"]


def _check(name: str) -> Check:
    kernel = store.find(name)
    drivers = ["nitro"] if kernel.headers else []
    if "ena" in kernel.about["drivers"]:
        drivers.append("OSv's own")
    found = " and ".join(drivers) or "none; nitro kernel add --source adds one"
    return Check(f"OSv kernel {name}", True, f"{kernel.about['version']}, ENA driver: {found}")
