"""What a region has of a release, read from AWS: nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from nitro.cloud import Cloud, ami, tags
from nitro.errors import NitroError, RefusedError
from nitro.publish import access, checks, parameters
from nitro.publish.access import Access
from nitro.publish.release import Release

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, ImageTypeDef, SnapshotTypeDef

_USABLE = ("available", "pending")


@dataclass(frozen=True, slots=True)
class Ami:
    """An AMI of ours. `snapshot_id` is its root's, "" when there is none."""

    id: str
    name: str
    snapshot_id: str
    state: str
    created: datetime
    deprecated_at: datetime | None
    protected: bool
    tags: tags.Tags = field(repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of ours. `digest` is "" until it has been found equal to the disk."""

    id: str
    state: str
    digest: str
    key: str | None
    tags: tags.Tags = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegionState:
    """What a region has of a release, and what its settings come to there.

    `ami` is the release's, None when there is none, and `snapshot` its own, or a verified one to
    register. `spare_amis` and `spare_snapshots` are what runs have left of this release,
    `earlier` the published ones of the same series, the newest first, and `retired` AMIs that an
    interrupted run was about to remove. `key` is the ARN of the KMS key for new snapshots. Where
    `error` is set, the region could not be asked and nothing else is known.
    """

    region: str
    ami: Ami | None = None
    snapshot: Snapshot | None = None
    spare_amis: tuple[Ami, ...] = ()
    spare_snapshots: tuple[Snapshot, ...] = ()
    earlier: tuple[Ami, ...] = ()
    retired: tuple[Ami, ...] = ()
    image_access: Access = field(default_factory=Access)
    snapshot_access: Access = field(default_factory=Access)
    parameter: str | None = None
    key: str | None = None
    error: NitroError | None = None


def observe(cloud: Cloud, release: Release) -> RegionState:
    """Ask a region.

    Raises RefusedError for what has to be settled before anything is uploaded: a name that is
    taken, a key that cannot be used, sharing that is blocked, a parameter of another type.
    """
    key = checks.usable_key(cloud, release.settings)
    checks.require_sharing(cloud, release.settings, key)
    named = [of_image(raw) for raw in _images(cloud, _by_name(release.name))]
    _require_ours(cloud, release, named)
    usable = [image for image in named if image.state in _USABLE]
    found = min(usable, key=lambda each: (each.created, each.id), default=None)
    series = _published_and_retired(cloud, release)
    state = RegionState(
        cloud.region,
        ami=found,
        spare_amis=tuple(each for each in named if each is not found),
        earlier=series[tags.Stage.PUBLISHED],
        retired=series[tags.Stage.RETIRED],
        parameter=parameters.read(cloud, release.parameter) if release.parameter else None,
        key=key,
    )
    state = _with_snapshots(cloud, release, state)
    if not found:
        return state
    return replace(
        state,
        image_access=access.of_image(cloud, found.id),
        snapshot_access=access.of_snapshot(cloud, found.snapshot_id),
    )


def find_ami(cloud: Cloud, name: str) -> Ami | None:
    """Our usable AMI of this name, the oldest where there are several."""
    named = [of_image(raw) for raw in _images(cloud, _by_name(name))]
    usable = [each for each in named if tags.ours(each.tags) and each.state in _USABLE]
    return min(usable, key=lambda each: (each.created, each.id), default=None)


def of_image(raw: ImageTypeDef) -> Ami:
    deprecated_at = raw.get("DeprecationTime")
    return Ami(
        raw["ImageId"],
        raw.get("Name", ""),
        ami.snapshot_of(raw),
        raw["State"],
        datetime.fromisoformat(raw["CreationDate"]),
        datetime.fromisoformat(deprecated_at) if deprecated_at else None,
        raw.get("DeregistrationProtection", "disabled") != "disabled",
        tags.from_list(raw.get("Tags")),
    )


def _require_ours(cloud: Cloud, release: Release, named: Sequence[Ami]) -> None:
    for image in named:
        if not (tags.ours(image.tags) and image.tags.get(tags.DIGEST) == release.digest):
            raise RefusedError(
                f"the AMI name {release.name} is taken in {cloud.region} by {image.id}, which is "
                "not this disk",
                hint="use another name or version, or deregister that AMI",
            )


def _published_and_retired(cloud: Cloud, release: Release) -> dict[str, tuple[Ami, ...]]:
    """AMIs of the same series under other names, by their stage, the newest first."""
    architecture: FilterTypeDef = {
        "Name": "architecture",
        "Values": [release.source.disk.architecture],
    }
    listed = [
        of_image(raw) for raw in _images(cloud, [*tags.by(name=release.series), architecture])
    ]
    listed.sort(key=lambda each: (each.created, each.id), reverse=True)
    return {
        stage: tuple(
            each
            for each in listed
            if each.tags.get(tags.STAGE) == stage and each.name != release.name
        )
        for stage in tags.Stage
    }


def _with_snapshots(cloud: Cloud, release: Release, state: RegionState) -> RegionState:
    """The AMI's snapshot, or a verified one; all other snapshots of the release are spare."""
    pages = cloud.ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], Filters=tags.by(name=release.series)
    )
    found = [_snapshot(raw) for page in pages for raw in page["Snapshots"]]
    of_images = {image.snapshot_id for image in (*state.spare_amis, *state.retired)}
    loose = [each for each in found if each.id not in of_images]
    named = [each for each in loose if each.tags.get(tags.RELEASE) == release.name]
    if state.ami:
        of_ami = state.ami.snapshot_id
        mine = next((each for each in found if each.id == of_ami), None)
    else:
        mine = next((each for each in named if _can_be_registered(each, release, state)), None)
    spare = [each for each in named if each is not mine]
    spare += [
        each
        for each in loose
        if each not in named and each.tags.get(tags.STAGE) == tags.Stage.RETIRED
    ]
    return replace(state, snapshot=mine, spare_snapshots=tuple(spare))


def _can_be_registered(snapshot: Snapshot, release: Release, state: RegionState) -> bool:
    return (
        snapshot.state == "completed"
        and snapshot.digest == release.digest
        and state.key in (None, snapshot.key)
        and snapshot.tags.get(tags.STAGE) != tags.Stage.RETIRED
    )


def _snapshot(raw: SnapshotTypeDef) -> Snapshot:
    tag_map = tags.from_list(raw.get("Tags"))
    return Snapshot(
        raw["SnapshotId"],
        raw["State"],
        tag_map.get(tags.DIGEST, ""),
        raw.get("KmsKeyId"),
        tag_map,
    )


def _by_name(name: str) -> list[FilterTypeDef]:
    return [{"Name": "name", "Values": [name]}]


def _images(cloud: Cloud, filters: Sequence[FilterTypeDef]) -> list[ImageTypeDef]:
    pages = cloud.ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=filters)
    return [raw for page in pages for raw in page["Images"]]
