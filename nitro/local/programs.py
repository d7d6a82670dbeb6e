"""The programs of others that the local Nitro runs."""

from __future__ import annotations

from nitro import debian
from nitro.local import disk_formats, dnsmasq, qemu
from nitro.progress import Reporter


def find(report: Reporter | None = None) -> None:
    """Have all, on this machine or in the cache. Raises NitroError as `debian.tree` does."""
    qemu.find(report)
    disk_formats.find(report)
    for wanted in (dnsmasq.PACKAGES, qemu.firmware_packages()):
        debian.tree(wanted, report=report)
