"""CreateImage."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code


@pytest.fixture
def instance_id(account: Account) -> str:
    image_id = account.image(account.snapshot(), BootMode="uefi-preferred", TpmSupport="v2.0")
    mappings = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2, "VolumeType": "gp3"}}]
    return str(account.run(image_id, BlockDeviceMappings=mappings)["InstanceId"])


def finished(account: Account, image_id: str) -> Any:
    account.clock.advance(account.site.pace.complete_snapshot + account.site.pace.register_image)
    (image,) = account.ec2.describe_images(ImageIds=[image_id])["Images"]
    return image


@pytest.mark.parametrize("options", [{}, {"NoReboot": True}])
def test_an_image_has_what_the_instance_has(
    account: Account, instance_id: str, options: dict[str, bool]
) -> None:
    (root,) = [
        mapping["Ebs"]["VolumeId"]
        for mapping in account.instance(instance_id)["BlockDeviceMappings"]
        if mapping["DeviceName"] == "/dev/xvda"
    ]
    account.ec2.create_snapshot(VolumeId=root)  # makes the file
    with account.site.volumes.path(root).open("r+b") as disk:
        disk.write(b"installed")
    account.hypervisor.write_console(instance_id, b"before")
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]}
        for kind in ("image", "snapshot")
    ]
    image_id = account.ec2.create_image(
        InstanceId=instance_id, Name="baked", Description="d", TagSpecifications=tags, **options
    )["ImageId"]
    assert (account.hypervisor.console(instance_id) == b"") is not bool(options), "a restart"
    (pending,) = account.ec2.describe_images(ImageIds=[image_id])["Images"]
    assert pending["State"] == "pending"
    image = finished(account, image_id)
    assert (image["State"], image["Description"]) == ("available", "d")
    assert (image["BootMode"], image["TpmSupport"], image["EnaSupport"]) == (
        "uefi-preferred",
        "v2.0",
        True,
    )
    assert image["SourceInstanceId"] == instance_id
    assert image["Tags"] == [{"Key": "of", "Value": "image"}]
    disks = {mapping["DeviceName"]: mapping["Ebs"] for mapping in image["BlockDeviceMappings"]}
    assert {name: (ebs["VolumeSize"], ebs["VolumeType"]) for name, ebs in disks.items()} == {
        "/dev/xvda": (1, "gp2"),
        "/dev/sdf": (2, "gp3"),
    }
    snapshot_id = disks["/dev/xvda"]["SnapshotId"]
    (snapshot,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert snapshot["Description"] == f"Created by CreateImage({instance_id}) for {image_id}"
    assert snapshot["Tags"] == [{"Key": "of", "Value": "snapshot"}]
    assert account.site.store.read(snapshot_id, 0).startswith(b"installed")
    launched = account.run(image_id)["InstanceId"]
    assert len(account.hypervisor.guests[launched].guest.disks) == 2


def test_a_stopped_instance_stays_as_it_is(account: Account, instance_id: str) -> None:
    account.ec2.stop_instances(InstanceIds=[instance_id])
    account.hypervisor.write_console(instance_id, b"before")
    image_id = account.ec2.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    assert finished(account, image_id)["State"] == "available"
    assert account.hypervisor.console(instance_id) == b"before"
    assert account.instance(instance_id)["State"]["Name"] == "stopped"


def test_mappings_of_the_request_are_merged(account: Account, instance_id: str) -> None:
    image_id = account.ec2.create_image(
        InstanceId=instance_id,
        Name="baked",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "VolumeType": "gp3"}},
            {"DeviceName": "/dev/sdf", "NoDevice": ""},
            {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 3}},
        ],
    )["ImageId"]
    image = finished(account, image_id)
    sizes = {
        mapping["DeviceName"]: (mapping["Ebs"]["VolumeSize"], "SnapshotId" in mapping["Ebs"])
        for mapping in image["BlockDeviceMappings"]
    }
    assert sizes == {"/dev/xvda": (9, True), "/dev/sdg": (3, False)}


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"DeviceName": "/dev/xvda", "NoDevice": ""}, "InvalidParameterValue"),
        ({"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}, "InvalidBlockDeviceMapping"),
        ({"DeviceName": "/dev/sdg", "Ebs": {"VolumeType": "gp3"}}, "MissingParameter"),
        (
            {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-12345678"}},
            "InvalidBlockDeviceMapping",
        ),
    ],
)
def test_mappings_that_no_image_can_have_are_refused(
    account: Account, instance_id: str, mapping: Any, code: str
) -> None:
    def create() -> None:
        account.ec2.create_image(
            InstanceId=instance_id, Name="baked", BlockDeviceMappings=[mapping]
        )

    before = len(account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
    assert error_code(create) == code
    assert len(account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == before


def test_what_cannot_become_an_image_is_refused(account: Account, instance_id: str) -> None:
    def create(**options: Any) -> str:
        given = {"InstanceId": instance_id, "Name": "baked", **options}
        return error_code(lambda: account.ec2.create_image(**given))

    assert create(Name="image") == "InvalidAMIName.Duplicate"
    assert create(Name="a*b") == "InvalidAMIName.Malformed"
    assert create(InstanceId="i-12345678") == "InvalidInstanceID.NotFound"
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    assert create(TagSpecifications=tags) == "InvalidParameterValue"
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    assert create() == "IncorrectInstanceState"
    assert len(account.ec2.describe_images(Owners=["self"])["Images"]) == 1
