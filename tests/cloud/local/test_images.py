"""Images that are what they were registered as."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code


def described(account: Account, image_id: str) -> Any:
    (image,) = account.ec2.describe_images(ImageIds=[image_id])["Images"]
    return image


@pytest.mark.extended
def test_an_image_keeps_what_it_is_registered_with(account: Account) -> None:
    snapshot_id = account.snapshot()
    tags = [{"Key": "nitro:digest", "Value": "sha256:1"}]
    image_id = account.image(
        snapshot_id,
        Description="of a test",
        BootMode="uefi-preferred",
        ImdsSupport="v2.0",
        TpmSupport="v2.0",
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
    )
    image = described(account, image_id)
    kept = {
        "Name": "image",
        "Description": "of a test",
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "BootMode": "uefi-preferred",
        "ImdsSupport": "v2.0",
        "TpmSupport": "v2.0",
        "EnaSupport": True,
        "RootDeviceName": "/dev/xvda",
        "Public": False,
        "Tags": tags,
    }
    assert {key: image[key] for key in kept} == kept
    (mapping,) = image["BlockDeviceMappings"]
    assert mapping["Ebs"]["SnapshotId"] == snapshot_id
    assert mapping["Ebs"]["VolumeSize"] == 1
    snapshots = account.ec2.describe_snapshots()["Snapshots"]
    assert [snapshot["SnapshotId"] for snapshot in snapshots] == [snapshot_id]  # and no other


@pytest.mark.extended
def test_an_image_takes_time_to_become_available(account: Account) -> None:
    image_id = account.image(account.snapshot())
    account.clock.advance(-1)
    assert described(account, image_id)["State"] == "pending"
    account.clock.advance(1)
    assert described(account, image_id)["State"] == "available"


@pytest.mark.extended
def test_images_are_found_by_tag_name_and_owner(account: Account) -> None:
    snapshot_id = account.snapshot()
    tags = [{"Key": "k", "Value": "v"}]
    one = account.image(
        snapshot_id, "one", TagSpecifications=[{"ResourceType": "image", "Tags": tags}]
    )
    two = account.image(snapshot_id, "two")

    def found(name: str, value: str) -> list[str]:
        filters = [{"Name": name, "Values": [value]}]
        images = account.ec2.describe_images(Owners=["self"], Filters=filters)["Images"]
        return [image["ImageId"] for image in images]

    assert found("tag:k", "v") == [one]
    assert found("name", "two") == [two]
    assert found("block-device-mapping.snapshot-id", snapshot_id) == [one, two]
    assert not account.ec2.describe_images(Owners=["amazon"])["Images"]


@pytest.mark.extended
def test_names_are_unique(account: Account) -> None:
    snapshot_id = account.snapshot()
    account.image(snapshot_id)
    assert error_code(lambda: account.image(snapshot_id)) == "InvalidAMIName.Duplicate"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "a!b?c"}, "InvalidAMIName.Malformed"),
        ({"RootDeviceName": "/dev/sda1"}, "InvalidBlockDeviceMapping"),
        ({"ImageLocation": "bucket/manifest"}, "UnsupportedOperation"),
    ],
)
def test_bad_registrations_are_refused(
    account: Account, options: dict[str, Any], code: str
) -> None:
    snapshot_id = account.snapshot()
    assert error_code(lambda: account.image(snapshot_id, **options)) == code
    assert not account.ec2.describe_images(Owners=["self"])["Images"]


@pytest.mark.parametrize(
    ("ebs", "code"),
    [
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ({"VolumeSize": 1}, "InvalidBlockDeviceMapping"),  # of the root device
        ({"Encrypted": True}, "InvalidParameterCombination"),
    ],
)
def test_bad_mappings_are_refused(account: Account, ebs: dict[str, Any], code: str) -> None:
    snapshot_id = account.snapshot()
    if "VolumeSize" not in ebs:
        ebs = {"SnapshotId": snapshot_id, **ebs}
    mapping = {"DeviceName": "/dev/xvda", "Ebs": ebs}
    refused = error_code(lambda: account.image(snapshot_id, BlockDeviceMappings=[mapping]))
    assert refused == code


def test_deregistering_can_take_the_snapshot_along(account: Account) -> None:
    snapshot_id = account.snapshot()
    one, two = account.image(snapshot_id, "one"), account.image(snapshot_id, "two")
    account.ec2.deregister_image(ImageId=one, DeleteAssociatedSnapshots=True)
    assert account.ec2.describe_snapshots()["Snapshots"], "the other image still needs it"
    answer = account.ec2.deregister_image(ImageId=two, DeleteAssociatedSnapshots=True)
    assert [gone["SnapshotId"] for gone in answer["DeleteSnapshotResults"]] == [snapshot_id]
    assert not account.ec2.describe_snapshots()["Snapshots"]
    again = error_code(lambda: account.ec2.deregister_image(ImageId=two))
    assert again == "InvalidAMIID.Unavailable"


@pytest.mark.parametrize(
    ("attribute", "key", "value"),
    [("bootMode", "BootMode", "uefi"), ("imdsSupport", "ImdsSupport", "v2.0")],
)
def test_attributes_are_told(account: Account, attribute: str, key: str, value: str) -> None:
    image_id = account.image(account.snapshot(), BootMode="uefi", ImdsSupport="v2.0")
    answer = account.ec2.describe_image_attribute(ImageId=image_id, Attribute=attribute)
    assert answer[key]["Value"] == value


def test_every_attribute_is_told_or_refused_as_by_aws(account: Account) -> None:
    image_id = account.image(account.snapshot(), Description="of a test")
    model = account.ec2.meta.service_model.shape_for("ImageAttributeName")
    told = {}
    for name in set(model.enum) - {"blockDeviceMapping"}:
        told[name] = account.ec2.describe_image_attribute(ImageId=image_id, Attribute=name)
        assert told[name].pop("ImageId") == image_id
    assert told["description"]["Description"] == {"Value": "of a test"}
    assert told["deregistrationProtection"]["DeregistrationProtection"] == {"Value": "disabled"}
    code = error_code(
        lambda: account.ec2.describe_image_attribute(
            ImageId=image_id, Attribute="blockDeviceMapping"
        )
    )
    assert code == "AuthFailure"


def test_ephemeral_and_empty_volumes_are_registered(account: Account) -> None:
    snapshot = account.snapshot()
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 3}},
    ]
    image = account.image(snapshot, BlockDeviceMappings=mappings)
    (found,) = account.ec2.describe_images(ImageIds=[image])["Images"]
    by_name = {each["DeviceName"]: each for each in found["BlockDeviceMappings"]}
    assert by_name["/dev/sdb"] == mappings[1]
    assert by_name["/dev/sdc"]["Ebs"]["VolumeSize"] == 3
    guest = account.hypervisor.guests[account.run(image)["InstanceId"]].guest
    assert [disk.snapshot_id for disk in guest.disks] == [snapshot, None]
    nothing = [{"DeviceName": "/dev/xvda"}]
    code = error_code(lambda: account.image(snapshot, "none", BlockDeviceMappings=nothing))
    assert code == "InvalidBlockDeviceMapping"
