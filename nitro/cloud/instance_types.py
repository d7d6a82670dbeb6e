"""Instance types: what EC2 says of them, and whether a disk can run there. No table of ours."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from nitro.cloud.disk import DiskImage
from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.errors import InputError, RefusedError
from nitro.progress import Reporter

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import InstanceTypeType
    from mypy_boto3_ec2.type_defs import InstanceTypeInfoTypeDef

_NEEDED_FOR_PREFERRED = {"legacy-bios", "uefi"}


@dataclass(frozen=True)
class InstanceType:
    """What DescribeInstanceTypes says, of what a disk cares about."""

    name: str
    vcpus: int
    memory_mib: int
    architectures: tuple[str, ...]
    boot_modes: tuple[str, ...]
    ena: str  # "unsupported" | "supported" | "required"
    hypervisor: str  # "nitro" | "xen" | "" for bare metal
    bare_metal: bool
    network: str  # as EC2 words it: "Up to 10 Gigabit"
    #: bit/s of the first network card that the type sustains, and reaches in bursts; None: not said
    baseline_bits: float | None = None
    peak_bits: float | None = None
    #: how many vCPUs it can be started with, but for all → cores, and threads of each
    processors: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    clusters: bool = True  # whether it may be in a cluster placement group


def find_instance_type(cloud: Cloud, name: str) -> InstanceType:
    """Ask EC2 about an instance type. Raises InputError, with near names, for an unknown one.

    Names are lower-case: `C5.Large` is `c5.large`.
    """
    name = name.strip().lower()
    try:
        asked = [cast("InstanceTypeType", name)]
        found = cloud.ec2.describe_instance_types(InstanceTypes=asked)["InstanceTypes"]
    except ApiError as error:
        if error.code != "InvalidInstanceType":
            raise
        found = []
    if not found:
        near = difflib.get_close_matches(name, names(cloud), cutoff=0.5)
        raise InputError(
            f"there is no instance type {name!r} in {cloud.region}",
            hint=f"similar names: {', '.join(near)}"
            if near
            else "see `aws ec2 describe-instance-types`",
        )
    return _parse(found[0])


def names(cloud: Cloud) -> list[str]:
    """The instance types that the region offers."""
    pages = cloud.ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="region"
    )
    return [offer["InstanceType"] for page in pages for offer in page["InstanceTypeOfferings"]]


def processors(
    instance_type: InstanceType, asked: int | None, limit: int | None, report: Reporter
) -> int | None:
    """How many vCPUs an instance starts with: as many as `asked` for, or at most `limit`, or all.

    None stands for all. Where the type cannot have so few, the fewest that it can, which is
    reported. Raises RefusedError for a number that is asked for and that the type cannot have.
    """
    possible = {instance_type.vcpus, *instance_type.processors}
    if asked is not None and asked not in possible:
        raise RefusedError(
            f"{instance_type.name} does not run with {asked} vCPUs",
            hint=f"it can have {', '.join(map(str, sorted(possible)))}",
        )
    if asked is None and limit is None:
        return None
    wanted = asked or max((n for n in possible if n <= (limit or n)), default=min(possible))
    if asked is None and wanted > (limit or wanted):
        report.note(
            f"{instance_type.name} runs with {wanted} vCPUs or more, and {limit} would be better"
        )
    return None if wanted == instance_type.vcpus else wanted


def check(instance_type: InstanceType, disk: DiskImage) -> None:
    """Raise RefusedError when an instance of this type could not run the disk."""
    requires(instance_type, disk.architecture, disk.boot_mode, disk.minimum_memory_mib)


def requires(
    instance_type: InstanceType, architecture: str, boot_mode: str, memory_mib: int
) -> None:
    """As `check`, for what is known before there is a disk."""
    if architecture not in instance_type.architectures:
        raise RefusedError(
            f"{instance_type.name} is {' or '.join(instance_type.architectures)}, "
            f"the image is {architecture}",
            hint="choose an instance type of the image's architecture",
        )
    modes = set(instance_type.boot_modes)
    wanted = _NEEDED_FOR_PREFERRED if boot_mode == "uefi-preferred" else {boot_mode}
    if not modes & wanted:
        raise RefusedError(
            f"{instance_type.name} boots by {' or '.join(instance_type.boot_modes)}, "
            f"the image by {boot_mode}",
            hint="set boot_mode in the recipe, or choose another instance type",
        )
    if instance_type.ena == "unsupported":
        raise RefusedError(
            f"{instance_type.name} has no ENA network card",
            hint="choose a Nitro type such as c5.large",
        )
    if instance_type.bare_metal or instance_type.hypervisor == "xen":
        what = "is bare metal" if instance_type.bare_metal else "runs on Xen"
        raise RefusedError(
            f"{instance_type.name} {what}: the image has drivers for virtual Nitro instances only",
            hint="choose a Nitro type such as c5.large",
        )
    if instance_type.memory_mib < memory_mib:
        raise RefusedError(
            f"{instance_type.name} has {instance_type.memory_mib} MiB of memory, "
            f"the image needs {memory_mib} MiB",
            hint="choose a larger instance type",
        )


def larger(cloud: Cloud, instance_type: InstanceType, mib: int) -> str | None:
    """Advice: the smallest type of the family with `mib` more memory; None when there is none."""
    memory_mib = instance_type.memory_mib + mib
    family = instance_type.name.partition(".")[0]
    pages = cloud.ec2.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": "instance-type", "Values": [f"{family}.*"]}]
    )
    fitting = [
        (one.memory_mib, one.name)
        for one in (_parse(raw) for page in pages for raw in page["InstanceTypes"])
        if one.memory_mib >= memory_mib and not one.bare_metal
    ]
    if not fitting:
        return None
    memory, name = min(fitting)
    return f"choose {name}, which has {memory} MiB"


def _parse(raw: InstanceTypeInfoTypeDef) -> InstanceType:
    cards = raw["NetworkInfo"].get("NetworkCards") or [{}]
    card = cards[0]
    return InstanceType(
        name=raw["InstanceType"],
        vcpus=raw["VCpuInfo"]["DefaultVCpus"],
        memory_mib=raw["MemoryInfo"]["SizeInMiB"],
        architectures=tuple(raw["ProcessorInfo"]["SupportedArchitectures"]),
        boot_modes=tuple(raw.get("SupportedBootModes", ())),
        ena=raw["NetworkInfo"]["EnaSupport"],
        hypervisor=raw.get("Hypervisor", ""),
        bare_metal=raw.get("BareMetal", False),
        network=raw["NetworkInfo"].get("NetworkPerformance", ""),
        baseline_bits=_bits(card.get("BaselineBandwidthInGbps")),
        peak_bits=_bits(card.get("PeakBandwidthInGbps")),
        processors={
            cores * threads: (cores, threads)
            for cores in raw["VCpuInfo"].get("ValidCores", ())
            for threads in raw["VCpuInfo"].get("ValidThreadsPerCore", ())
        },
        clusters="cluster" in raw.get("PlacementGroupInfo", {}).get("SupportedStrategies", ()),
    )


def _bits(gigabits: float | None) -> float | None:
    return None if gigabits is None else gigabits * 1e9
