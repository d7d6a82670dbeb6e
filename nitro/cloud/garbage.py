"""What nobody comes back for: unfinished, failed and expired resources of ours, and their removal.

Each is judged by its tags, its state and its age, so it can be run at any time beside other
commands: what is younger than a command takes at the longest may still be somebody's work. An AMI
or a snapshot that something names stays, and so does the snapshot of such an AMI, whatever their
tags say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nitro.cloud import tags, usage
from nitro.cloud.inventory import Resource, expired, inventory, remove
from nitro.cloud.session import Cloud
from nitro.errors import NitroError
from nitro.progress import Reporter

YOUNG = timedelta(hours=6)  # more than the two hours that an import may take, and what follows
REGIONS_AT_ONCE = 8


@dataclass(frozen=True)
class Garbage:
    """A resource that can go, and why."""

    resource: Resource
    reason: str


@dataclass(frozen=True)
class Kept:
    """An AMI or a snapshot that could go if nothing named it. `users`: what does, in words."""

    resource: Resource
    users: tuple[str, ...]


@dataclass
class Region:
    """What there is in a region. `error`: why it could not be looked through or cleared."""

    name: str
    garbage: list[Garbage] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    removed: list[Resource] = field(default_factory=list)
    error: NitroError | None = None


def regions_of(cloud: Cloud) -> list[str]:
    """The regions that are enabled for the account."""
    return sorted(raw["RegionName"] for raw in cloud.ec2.describe_regions()["Regions"])


def find_in(
    cloud: Cloud,
    regions: Sequence[str],
    young: timedelta = YOUNG,
    bucket: str | None = None,
) -> list[Region]:
    """Look through regions side by side; one that fails does not stop the others."""
    now = datetime.now(UTC)

    def look(name: str) -> Region:
        region = Region(name)
        try:
            find(cloud.in_region(name), region, now - young, now, bucket)
        except NitroError as error:
            region.error = error
        return region

    with ThreadPoolExecutor(REGIONS_AT_ONCE) as pool:
        return list(pool.map(look, regions))


def collect(cloud: Cloud, regions: Iterable[Region], report: Reporter) -> None:
    """Remove what was found; a region that fails does not stop the others."""
    for region in regions:
        if not region.garbage:
            continue
        resources = [each.resource for each in region.garbage]
        region.removed, left = remove(cloud.in_region(region.name), resources, report)
        if left:
            region.error = NitroError(
                f"could not remove {', '.join(left)} in {region.name}",
                hint="the next `nitro gc` tries again",
            )


def find(
    cloud: Cloud, region: Region, before: datetime, now: datetime, bucket: str | None = None
) -> None:
    """Fill in a region's garbage. What was made after `before` is young."""
    resources = inventory(cloud, bucket)
    running = {each.deployment for each in resources if each.kind == "instance"}
    over = {id(each) for each in expired(resources, now)}
    found: dict[str, Garbage] = {}
    for each in resources:
        if reason := "its time is over" if id(each) in over else _reason(each, before, running):
            found[each.id] = Garbage(each, reason)
    images = _images_of_snapshots(cloud)
    for each in resources:
        if each.kind != "snapshot":
            continue
        if images.get(each.id, set()) - found.keys():
            found.pop(each.id, None)
        elif each.id not in found and each.state == "completed" and _is_old(each, before):
            found[each.id] = Garbage(each, "no AMI uses it")
    _keep_named(cloud, region, resources, images, found)
    region.garbage = [found[each.id] for each in resources if each.id in found]


def _keep_named(
    cloud: Cloud,
    region: Region,
    resources: Sequence[Resource],
    images: Mapping[str, set[str]],
    found: dict[str, Garbage],
) -> None:
    """Take from `found` what something names, and the snapshots of AMIs that stay for that."""
    asked = [each for each in resources if each.kind in ("image", "snapshot") and each.id in found]
    # What is shared, and was retired all the same, was not to stay for that.
    shared = [each.id for each in asked if each.kind == "image" or not _is_retired(each)]
    users = usage.users_of(cloud, [each.id for each in asked], shared=shared)
    for each in asked:
        if named := _users(each, users):
            del found[each.id]
            region.kept.append(Kept(each, named))
    for each in asked:
        if each.kind == "snapshot" and images.get(each.id, set()) - found.keys():
            found.pop(each.id, None)


def _reason(resource: Resource, before: datetime, running: set[str]) -> str | None:
    """Why a resource can go; None when it is somebody's, or may be."""
    old = _is_old(resource, before)
    match resource.kind:
        case "snapshot" if resource.state == "error":
            return "it failed"
        case "image" if resource.state in {"failed", "invalid", "error"}:
            return "it failed"
        case "snapshot" if old and resource.state == "pending" and tags.WRITE in resource.tags:
            return "it was never completed"  # a copy may take days
        case "snapshot" if old and resource.state == "completed" and not resource.digest:
            return "its content was never proven"
        case "image" | "snapshot" if old and tags.EPHEMERAL in resource.tags:
            return "its run did not remove it"
        case "image" | "snapshot" if old and resource.tags.get(tags.STAGE) == tags.Stage.UNFINISHED:
            return "its release was never finished"
        case "import-task" if old and resource.state == "completed":
            return "nobody waited for its snapshot"
        case "upload" if old:
            return "it was never completed"
        case "object" if old:
            return "its run did not remove it"
        case "volume" | "network-interface" | "security-group" | "placement-group" if (
            old and resource.deployment not in running
        ):
            return "its deployment has ended"
        case _:
            return None


def _is_retired(resource: Resource) -> bool:
    return resource.tags.get(tags.STAGE) == tags.Stage.RETIRED


def _is_old(resource: Resource, before: datetime) -> bool:
    """Whether it was made before a moment; of unknown age, it was not."""
    created = resource.created or _date_of(resource.deployment)
    return created is not None and created < before


def _date_of(deployment: str) -> datetime | None:
    """The end of the day that a deployment's id names; EC2 does not tell a group's age."""
    try:
        day = datetime.strptime(deployment[2:10], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day + timedelta(days=1)


def _users(image: Resource, users: dict[str, list[str]]) -> tuple[str, ...]:
    protected = ["its deregistration protection"] if image.protected else []
    return (*protected, *users.get(image.id, ()))


def _images_of_snapshots(cloud: Cloud) -> dict[str, set[str]]:
    """Snapshot → AMIs of the account on it, also those that are not ours."""
    pages = cloud.ec2.get_paginator("describe_images").paginate(
        Owners=["self"], IncludeDisabled=True
    )
    images: dict[str, set[str]] = defaultdict(set)
    for raw in (raw for page in pages for raw in page["Images"]):
        for mapping in raw.get("BlockDeviceMappings", []):
            images[mapping.get("Ebs", {}).get("SnapshotId", "")].add(raw["ImageId"])
    return images
