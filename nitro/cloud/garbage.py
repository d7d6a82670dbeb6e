"""What nobody comes back for: unfinished, failed and expired resources of ours, and their removal.

Each is judged by its tags, its state and its age, so it can be run at any time beside other
commands: what is younger than a command takes at the longest may still be somebody's work. An
AMI that something names stays, and so does its snapshot, whatever their tags say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """An AMI that could go if nothing named it. `users`: what does, in words."""

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
    images = [each for each in resources if each.kind == "image"]
    users = usage.users_of(cloud, [each.id for each in images if each.id in found])
    for image in images:
        if image.id in found and (named := _users(image, users)):
            del found[image.id]
            region.kept.append(Kept(image, named))
    used = _snapshots_in_use(cloud, found)
    for each in resources:
        if each.kind != "snapshot":
            continue
        if each.id in used:
            found.pop(each.id, None)
        elif each.id not in found and each.state == "completed" and _is_old(each, before):
            found[each.id] = Garbage(each, "no AMI uses it")
    region.garbage = [found[each.id] for each in resources if each.id in found]


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
        case "volume" | "network-interface" | "security-group" if (
            old and resource.deployment not in running
        ):
            return "its deployment has ended"
        case _:
            return None


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


def _snapshots_in_use(cloud: Cloud, found: dict[str, Garbage]) -> set[str]:
    """Ids of the snapshots under all AMIs of the account but those that go, foreign ones too."""
    pages = cloud.ec2.get_paginator("describe_images").paginate(
        Owners=["self"], IncludeDisabled=True
    )
    return {
        mapping.get("Ebs", {}).get("SnapshotId", "")
        for page in pages
        for raw in page["Images"]
        if raw["ImageId"] not in found
        for mapping in raw.get("BlockDeviceMappings", [])
    }
