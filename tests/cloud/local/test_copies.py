"""Copies of snapshots and images, between regions and within one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.quotas import COPIES
from nitro.local.store import BLOCK_SIZE

from .conftest import Account, error_code

HOME, THERE = "us-east-1", "eu-west-1"
DISK = b"first".ljust(BLOCK_SIZE, b"\0") + bytes(BLOCK_SIZE) + b"third"


@pytest.fixture
def other(account: Account) -> Account:
    return account.there(THERE)


def copied(other: Account, snapshot_id: str, **options: Any) -> str:
    """The id of a copy of a snapshot of HOME."""
    given = {"SourceRegion": HOME, "SourceSnapshotId": snapshot_id, **options}
    return str(other.ec2.copy_snapshot(**given)["SnapshotId"])


def copied_image(other: Account, image_id: str, **options: Any) -> str:
    given = {"SourceRegion": HOME, "SourceImageId": image_id, "Name": "copy", **options}
    return str(other.ec2.copy_image(**given)["ImageId"])


def wait(account: Account) -> None:
    account.clock.advance(account.site.pace.copy_snapshot)


def snapshot(account: Account, snapshot_id: str) -> Any:
    (found,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    return found


def image(account: Account, image_id: str) -> Any:
    (found,) = account.ec2.describe_images(ImageIds=[image_id])["Images"]
    return found


def blocks(account: Account, snapshot_id: str) -> dict[int, bytes]:
    return {
        block["BlockIndex"]: account.ebs.get_snapshot_block(
            SnapshotId=snapshot_id,
            BlockIndex=block["BlockIndex"],
            BlockToken=block["BlockToken"],
        )["BlockData"].read()
        for block in account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
    }


@pytest.mark.extended
def test_a_copy_completes_and_has_the_blocks_of_its_source(
    account: Account, other: Account
) -> None:
    source = account.snapshot(DISK)
    target = copied(other, source, Description="a copy")
    found = snapshot(other, target)
    assert (found["State"], found["Progress"]) == ("pending", "0%")
    assert error_code(lambda: blocks(other, target)) == "ResourceNotFoundException"
    wait(account)
    found = snapshot(other, target)
    assert (found["State"], found["Description"]) == ("completed", "a copy")
    assert found["VolumeSize"] == 1
    assert blocks(other, target) == blocks(account, source)


@pytest.mark.extended
def test_a_copy_outlives_its_source(account: Account, other: Account) -> None:
    source = account.snapshot(DISK)
    target = copied(other, source)
    account.ec2.delete_snapshot(SnapshotId=source)
    wait(account)
    assert set(blocks(other, target)) == {0, 2}


@pytest.mark.extended
def test_tags_of_a_snapshot_do_not_follow_it(account: Account, other: Account) -> None:
    source = account.snapshot()
    account.ec2.create_tags(Resources=[source], Tags=[{"Key": "a", "Value": "1"}])
    own = [{"Key": "b", "Value": "2"}]
    specification = [{"ResourceType": "snapshot", "Tags": own}]
    answer = other.ec2.copy_snapshot(
        SourceRegion=HOME, SourceSnapshotId=source, TagSpecifications=specification
    )
    assert answer["Tags"] == snapshot(other, answer["SnapshotId"])["Tags"] == own
    assert not snapshot(other, copied(other, source))["Tags"]


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SourceRegion": "mars-1"}, "InvalidRegion"),
        ({"SourceRegion": "cn-north-1"}, "InvalidRegion"),  # another partition
        ({"SourceRegion": THERE}, "InvalidSnapshot.NotFound"),
        ({"SourceSnapshotId": "snap-00000000"}, "InvalidSnapshot.NotFound"),
        ({"KmsKeyId": "alias/aws/ebs"}, "InvalidParameterDependency"),
        ({"CompletionDurationMinutes": 15}, "UnsupportedOperation"),
    ],
)
def test_copies_of_snapshots_that_are_refused(
    account: Account, other: Account, options: dict[str, Any], code: str
) -> None:
    source = account.snapshot()
    assert error_code(lambda: copied(other, source, **options)) == code


def test_a_snapshot_is_copied_when_it_is_complete(account: Account, other: Account) -> None:
    source = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    assert error_code(lambda: copied(other, source)) == "IncorrectState"


@pytest.mark.extended
def test_a_region_makes_a_limited_number_of_copies_at_a_time(
    account: Account, other: Account
) -> None:
    source = account.snapshot()
    for _ in range(COPIES.most):
        copied(other, source)
    assert error_code(lambda: copied(other, source)) == "ResourceLimitExceeded"
    assert copied(account, source)  # the limit is each region's own
    wait(account)
    assert copied(other, source)


@pytest.mark.extended
def test_an_image_is_copied_with_its_disk_and_runs(account: Account, other: Account) -> None:
    source = account.image(account.snapshot(DISK), BootMode="uefi", Description="of home")
    target = copied_image(other, source)
    found = image(other, target)
    assert (found["State"], found["Name"]) == ("pending", "copy")
    assert error_code(lambda: other.run(target)) == "InvalidAMIID.Unavailable"
    wait(account)
    found = image(other, target)
    assert found["State"] == "available"
    assert (found["SourceImageId"], found["SourceImageRegion"]) == (source, HOME)
    assert (found["BootMode"], found["EnaSupport"], found["Architecture"]) == (
        *("uefi", True),
        "x86_64",
    )
    (mapping,) = found["BlockDeviceMappings"]
    disk = mapping["Ebs"]["SnapshotId"]
    assert mapping["Ebs"]["Encrypted"] is False
    described = snapshot(other, disk)["Description"]
    assert described.startswith(f"Copied for DestinationAmi {target} from SourceAmi {source} for ")
    assert set(blocks(other, disk)) == {0, 2}
    instance = other.run(target)
    assert instance["Placement"]["AvailabilityZone"].startswith(THERE)
    guest = account.hypervisor.guests[instance["InstanceId"]].guest
    assert (guest.disks[0].snapshot_id, guest.region) == (disk, THERE)


@pytest.mark.extended
def test_of_an_image_neither_sharing_nor_tags_follow_unasked(
    account: Account, other: Account
) -> None:
    tags = [{"Key": "stage", "Value": "beta"}]
    source = account.image(account.snapshot())
    account.ec2.create_tags(Resources=[source], Tags=tags)
    account.ec2.modify_image_attribute(
        ImageId=source, LaunchPermission={"Add": [{"UserId": "1" * 12}]}
    )
    plain = copied_image(other, source)
    assert not image(other, plain)["Tags"]
    asked = {"Attribute": "launchPermission", "ImageId": plain}
    assert other.ec2.describe_image_attribute(**asked)["LaunchPermissions"] == []
    assert image(other, copied_image(other, source, CopyImageTags=True))["Tags"] == tags


def test_a_copied_image_and_its_snapshots_are_tagged_as_asked(
    account: Account, other: Account
) -> None:
    source = account.image(account.snapshot())
    specifications = [
        {"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]}
        for kind in ("image", "snapshot")
    ]
    found = image(other, copied_image(other, source, TagSpecifications=specifications))
    assert found["Tags"] == [{"Key": "kind", "Value": "image"}]
    disk = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert snapshot(other, disk)["Tags"] == [{"Key": "kind", "Value": "snapshot"}]
    wrong = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    code = error_code(lambda: copied_image(other, source, TagSpecifications=wrong))
    assert code == "InvalidParameterValue"


@pytest.mark.extended
def test_a_copy_may_take_a_name_that_is_taken_and_a_token_makes_one(
    account: Account, other: Account
) -> None:
    source = account.image(account.snapshot())
    first = copied_image(other, source, ClientToken="a")
    assert copied_image(other, source, ClientToken="a") == first
    assert copied_image(other, source, ClientToken="b") != first


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SourceRegion": "mars-1"}, "InvalidRegion"),
        ({"SourceImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"Name": "no/such;name"}, "InvalidAMIName.Malformed"),
        ({"KmsKeyId": "alias/aws/ebs"}, "InvalidParameterDependency"),
        ({"DestinationOutpostArn": "arn:aws:outposts:x"}, "UnsupportedOperation"),
    ],
)
def test_copies_of_images_that_are_refused(
    account: Account, other: Account, options: dict[str, Any], code: str
) -> None:
    source = account.image(account.snapshot())
    assert error_code(lambda: copied_image(other, source, **options)) == code


@pytest.mark.extended
def test_copies_come_back_after_a_restart(account: Account, other: Account) -> None:
    source = account.image(account.snapshot(DISK))
    key = other.kms.create_key()["KeyMetadata"]["Arn"]
    target = copied_image(other, source, Encrypted=True, KmsKeyId=key)
    wait(account)
    before = image(other, target)
    after_restart = account.restarted()
    with install(after_restart), mock_aws():
        assert image(other, target) == before
        disk = before["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        assert snapshot(other, disk)["KmsKeyId"] == key
        assert set(blocks(other, disk)) == {0, 2}


@pytest.mark.extended
def test_a_disk_takes_no_second_place_for_its_copies(
    account: Account, other: Account, tmp_path: Path
) -> None:
    source = account.snapshot(DISK)
    target = copied(other, source)
    store = account.site.store
    assert store.path(source).samefile(store.path(target))
