"""What moto answers alike with and without: what each request of a deployment has to say."""

from __future__ import annotations

import pytest

from nitro.cloud import Call, Cloud, DiskImage, inventory
from tests.cloud.conftest import connect, recorded
from tests.cloud.joint import deploy


def made_calls(cloud: Cloud, disk: DiskImage) -> list[Call]:
    """Of a deployment, a second one that finds the image, and the inventory."""
    found = []
    for _ in range(2):
        again = connect()
        found.append(recorded(again))
        deploy(again, disk)
    looking = connect()
    found.append(recorded(looking))
    inventory(looking)
    return [call for calls in found for call in calls]


def searches_are_for_what_is_ours(calls: list[Call]) -> None:
    """An image of someone else's may have our name and our tags."""
    searches = {
        "DescribeImages": ("ImageIds", "Owners"),
        "DescribeSnapshots": ("SnapshotIds", "OwnerIds"),
    }
    seen = set()
    for call in calls:
        ids, owners = searches.get(call.operation, ("", ""))
        if owners and ids not in call.params:
            assert call.params[owners] == ["self"], call
            seen.add(call.operation)
    assert seen == set(searches)


def what_is_made_is_tagged_by_the_call_that_makes_it(calls: list[Call]) -> None:
    """A run that is killed after the call leaves nothing that cannot be found."""
    made = [
        call
        for call in calls
        if call.operation in {"RunInstances", "CreateSecurityGroup", "RegisterImage"}
    ]
    assert len({call.operation for call in made}) == 3
    for call in made:
        tags = {
            tag["Key"]: tag["Value"]
            for specification in call.params["TagSpecifications"]
            for tag in specification["Tags"]
        }
        assert tags["nitro:owner"] == "nitro", call


def objects_are_addressed_with_their_buckets_owner(calls: list[Call]) -> None:
    """A name that is free again may be taken by someone else."""
    objects = [call for call in calls if call.service == "s3" and "Key" in call.params]
    assert len(objects) > 5
    for call in objects:
        assert call.params["ExpectedBucketOwner"] == "123456789012", call


def instances_end_by_themselves(calls: list[Call]) -> None:
    runs = [call.params for call in calls if call.operation == "RunInstances"]
    assert len(runs) == 4
    for run in runs:
        assert (run["MinCount"], run["MaxCount"]) == (1, 1)
        assert run["InstanceInitiatedShutdownBehavior"] == "terminate"
        assert run["ClientToken"]
        assert run["MetadataOptions"]["HttpTokens"] == "required"
    assert len({run["ClientToken"] for run in runs}) == 4


@pytest.mark.extended
def test_requests_of_a_deployment_say_what_aws_asks_for(cloud: Cloud, disk: DiskImage) -> None:
    calls = made_calls(cloud, disk)
    searches_are_for_what_is_ours(calls)
    what_is_made_is_tagged_by_the_call_that_makes_it(calls)
    objects_are_addressed_with_their_buckets_owner(calls)
    instances_end_by_themselves(calls)
