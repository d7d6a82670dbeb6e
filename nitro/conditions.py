"""What a measurement was taken under: software, machine and place, as far as they are known.

Numbers that were not taken under the same conditions are not compared; this is what a reader,
and a program that compares, has to go by.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nitro import __version__
from nitro.cloud import Cloud, Instance, console_output
from nitro.console import Milestone, milestones
from nitro.documents import ConditionsDocument, HostDocument
from nitro.ending import Ending, endings
from nitro.errors import NitroError
from nitro.progress import Reporter

GIT_SECONDS = 10.0  # a source tree on a slow disk has no revision rather than no result

# What a local Nitro says of the machine; AWS says nothing, and means its own hypervisor.
_ACCELERATOR_TAG, _AWS_ACCELERATOR = "aws:local:accelerator", "nitro"

# The card that a kernel module drives.
_CARDS = {"ena": "ena", "nitro_ena": "ena", "virtio_net": "virtio-net"}


@dataclass(frozen=True)
class GuestReport:
    """What a guest says of itself on its console; "unknown" where it says nothing.

    `driver` is the guest's own word for whose driver it is. `driver_version` is the kernel's
    release for a driver of its own tree, None for the nitro driver, which `revision` identifies;
    `fallback` (why the nitro driver made room for the kernel's) is None where there was none.
    `warnings` are what it went on without, `endings` the ends of its program.
    """

    kernel: str = "unknown"
    nic: str = "unknown"
    driver: str = "unknown"
    driver_version: str | None = None
    fallback: str | None = None
    warnings: tuple[str, ...] = ()
    endings: tuple[Ending, ...] = ()


def read_console(text: str) -> GuestReport:
    """The guest's report from all that it wrote on its console."""
    said = milestones(text)
    found = {m.name: m for m in said}
    # The last driver: one that brings no network makes room for another.
    driver = found.get("driver", _SILENT).fields
    kernel = str(found.get("kernel", _SILENT).fields.get("release", "unknown"))
    if not driver and kernel.startswith("OSv ") and "address" in found:
        driver = {"kind": "kernel", "version": kernel}  # which does not name itself
    module = str(driver.get("driver", "unknown"))
    version, fallback = driver.get("version"), found.get("fallback")
    return GuestReport(
        kernel=kernel,
        nic=_CARDS.get(module, module),
        driver=str(driver.get("kind", "unknown")),
        driver_version=None if version is None else str(version),
        fallback=str(fallback.fields.get("what")) if fallback else None,
        warnings=tuple(str(m.fields.get("what")) for m in said if m.name == "warning"),
        endings=tuple(endings(text)),
    )


def read_guest(cloud: Cloud, instance_id: str, report: Reporter) -> GuestReport:
    """The report of a running guest. What was measured is not lost where AWS refuses the console:
    then a note says so and everything is "unknown"."""
    try:
        return read_console(console_output(cloud, instance_id))
    except NitroError as error:
        report.note(f"{instance_id}: the console could not be read: {error}")
        return GuestReport()


_SILENT = Milestone("", 0.0)


def accelerator(server: Instance) -> str:
    """What runs the machine: "nitro" on AWS, "kvm" or "tcg" on the local Nitro."""
    return server.tags.get(_ACCELERATOR_TAG, _AWS_ACCELERATOR)


def conditions(
    cloud: Cloud, server: Instance, guest: GuestReport, measured_from: str
) -> ConditionsDocument:
    """The conditions of a measurement that was just taken of `server`."""
    return {
        "nitro": __version__,
        "revision": revision(),
        "cloud": "local" if cloud.endpoint_url else "aws",
        "region": cloud.region,
        "instance": server.id,
        "instance_type": server.type,
        "accelerator": accelerator(server),
        "kernel": guest.kernel,
        "nic": guest.nic,
        "driver": guest.driver,
        "driver_version": guest.driver_version,
        "measured_from": measured_from,
        "host": host(),
    }


def host() -> HostDocument:
    """The machine that runs nitro: with a local Nitro, its speed is in every number."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
    }


@cache
def revision() -> str | None:
    """The commit of nitro's source tree, with `-dirty` when it was changed; None when installed."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    words = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _processor() -> str | None:
    """The processor's model, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, None)
