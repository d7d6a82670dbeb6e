"""Cluster placement groups: instances of one are near each other, in one zone.

They cost nothing and are known by their names.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nitro.cloud import tags, wait
from nitro.cloud.codes import DENIED
from nitro.cloud.errors import ApiError, ignoring
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Entry, Lifetime, Undo
from nitro.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import PlacementGroupTypeDef

AVAILABLE_DEADLINE = 120.0  # seconds
REMOVAL_DEADLINE = 300.0  # seconds, for the last instance to let go of it


def create(cloud: Cloud, name: str, tag_map: tags.Tags, undo: Undo) -> Entry:
    """Make a group for a deployment's instances; no other one has its `name`.

    Returns its entry in `undo`, by which it can be removed earlier.
    """
    with undo.making(
        f"placement group {name}",
        Lifetime.INSTANCE,
        find=lambda: [one["GroupName"] for one in ours(cloud) if one["GroupName"] == name],
        remove=lambda name: remove(cloud, name),
    ) as entry:
        with ignoring("InvalidPlacementGroup.Duplicate"):  # by an attempt whose answer was lost
            cloud.ec2.create_placement_group(
                GroupName=name,
                Strategy="cluster",
                TagSpecifications=tags.as_specification(["placement-group"], tag_map),
            )
        entry.id = name

    def look() -> bool | None:
        found = cloud.ec2.describe_placement_groups(GroupNames=[name])["PlacementGroups"]
        return any(one["State"] == "available" for one in found) or None

    wait.until(
        cloud, look, what=f"the placement group {name}", deadline=AVAILABLE_DEADLINE, new=True
    )
    return entry


def check(cloud: Cloud, name: str) -> None:
    """Raises InputError for a group that is not there.

    RunInstances would be repeated for a minute, as if the group were new.
    """
    try:
        cloud.ec2.describe_placement_groups(GroupNames=[name])
    except ApiError as error:
        if error.absent:
            raise InputError(
                f"there is no placement group {name} in {cloud.region}", hint="create it first"
            ) from None
        if error.code not in DENIED:
            raise


def ours(cloud: Cloud) -> Iterator[PlacementGroupTypeDef]:
    """All groups of ours; none where the policy has nothing of them, for then none can be made."""
    try:
        yield from cloud.ec2.describe_placement_groups(Filters=tags.by())["PlacementGroups"]
    except ApiError as error:
        if error.code not in DENIED:
            raise


def remove(cloud: Cloud, name: str) -> None:
    """Remove a group, once its last instance has ended."""

    def look() -> bool | None:
        try:
            cloud.ec2.delete_placement_group(GroupName=name)
        except ApiError as error:
            if error.code == "InvalidPlacementGroup.InUse":
                return None
            if not error.absent:
                raise
        return True

    wait.until(
        cloud, look, what=f"the removal of {name}", deadline=REMOVAL_DEADLINE, longest_pause=5.0
    )
