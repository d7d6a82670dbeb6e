"""Placement groups of ours: made once, listed, and removed when their last instance has ended."""

from __future__ import annotations

import pytest

from nitro.cloud import Cloud, Keep, Undo, inventory, placement_groups, tags
from nitro.cloud.errors import ApiRefused
from nitro.cloud.inventory import destroy
from nitro.errors import NitroError
from tests.cloud.conftest import connect, refuse

pytestmark = pytest.mark.policies("deploy", "bench")

NAME = "nitro-d-1-1"
TAGS = tags.deployment_tags(NAME, "d-1", "placement", None, {})


def names() -> list[str]:
    found = connect().ec2.describe_placement_groups()["PlacementGroups"]
    return [one["GroupName"] for one in found]


def test_a_group_is_made_listed_and_removed(cloud: Cloud) -> None:
    connect().ec2.create_placement_group(GroupName="another", Strategy="cluster")
    with Undo(Keep.INSTANCE) as undo:
        assert placement_groups.create(cloud, NAME, TAGS, undo).id == NAME
    [found] = [one for one in inventory(cloud) if one.kind == "placement-group"]
    assert (found.id, found.name, found.deployment, found.state) == (NAME, NAME, "d-1", "available")
    assert destroy(cloud, [found]) == [found]
    assert names() == ["another"]
    placement_groups.remove(connect(), NAME)  # gone already


def test_the_same_attempt_twice_makes_one_and_a_failure_leaves_none(cloud: Cloud) -> None:
    def fail() -> None:
        with Undo(Keep.IMAGE) as undo:
            placement_groups.create(cloud, NAME, TAGS, undo)
            placement_groups.create(cloud, NAME, TAGS, undo)
            assert names() == [NAME]
            raise NitroError("the server never came up")

    with pytest.raises(NitroError, match="never came up"):
        fail()
    assert names() == []


def test_a_rehearsal_makes_none(cloud: Cloud) -> None:
    rehearsal = connect(dry_run=True)
    with Undo(Keep.NOTHING) as undo:
        assert placement_groups.create(rehearsal, NAME, TAGS, undo).id == NAME
    assert names() == []
    assert rehearsal.plan
    made = [call.operation for call in rehearsal.plan.calls if call.changes]
    assert made == ["CreatePlacementGroup", "DeletePlacementGroup"]


def test_it_is_removed_when_its_last_instance_has_ended(cloud: Cloud) -> None:
    code, call = "InvalidPlacementGroup.InUse", "ec2.DeletePlacementGroup"
    failures = refuse(cloud, call, code, times=2)
    with Undo(Keep.INSTANCE) as undo:
        placement_groups.create(cloud, NAME, TAGS, undo)
    placement_groups.remove(cloud, NAME)
    assert len(failures) == 2
    assert names() == []


def test_a_policy_without_them_lists_none(cloud: Cloud) -> None:
    refuse(cloud, "ec2.DescribePlacementGroups", "UnauthorizedOperation", status=403)
    assert list(placement_groups.ours(cloud)) == []


@pytest.mark.policies("deploy")
def test_a_policy_without_them_makes_none(cloud: Cloud) -> None:
    with pytest.raises(ApiRefused, match="ec2:CreatePlacementGroup"), Undo() as undo:
        placement_groups.create(cloud, NAME, TAGS, undo)
    assert names() == []
