"""Packer: an AMI of an instance, one of a second disk, and a volume; shared and copied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro import debian
from tests.clients.conftest import Client
from tests.clients.endpoint import REGION, SECOND_REGION, Endpoint

pytestmark = pytest.mark.slow

FRIEND = "111122223333"
SECOND_DISK = {
    "device_name": "/dev/sdf",
    "volume_size": 2,
    "volume_type": "gp2",
    "delete_on_termination": True,
}


@pytest.fixture
def build(endpoint: Endpoint, tmp_path: Path) -> Any:
    """Runs one builder with these settings, from an image that is found by its name."""
    programs = debian.tree(debian.Wanted(("packer",), suite="bookworm")).path("/usr/bin")
    quiet = {"CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}
    client = Client(endpoint, tmp_path, programs, quiet)
    ec2 = endpoint.connect().ec2
    volume_id = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    snapshot_id = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume_id)
    mapping: Any = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}
    ec2.register_image(
        Name="base",
        Architecture="x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[mapping],
    )

    def run(kind: str, **settings: Any) -> str:
        builder = {
            "type": kind,
            "region": REGION,
            "custom_endpoint_ec2": endpoint.url,
            "source_ami_filter": {"filters": {"name": "ba*"}, "owners": ["self"]},
            "instance_type": "t3.micro",
            "communicator": "none",
            "skip_metadata_api_check": True,
            "ena_support": True,
            **settings,
        }
        (tmp_path / "build.json").write_text(json.dumps({"builders": [builder]}))
        return client.run("packer", "build", "build.json")

    return run


def images(endpoint: Endpoint, region: str = REGION) -> dict[str, Any]:
    found = endpoint.connect(region).ec2.describe_images(Owners=["self"])["Images"]
    return {image["Name"]: image for image in found}


def test_an_image_of_an_instance(endpoint: Endpoint, build: Any) -> None:
    build(
        "amazon-ebs",
        ami_name="baked",
        ami_description="by Packer",
        ami_users=[FRIEND],
        ami_regions=[SECOND_REGION],
        tags={"made": "by Packer"},
        snapshot_tags={"of": "root"},
        run_volume_tags={"for": "a while"},
        skip_region_validation=True,
        launch_block_device_mappings=[{**SECOND_DISK, "device_name": "/dev/xvda"}],
    )
    cloud = endpoint.connect()
    for region in (REGION, SECOND_REGION):
        image = images(endpoint, region)["baked"]
        assert image["State"] == "available"
        assert image["Description"] == "by Packer"
        assert image["Tags"] == [{"Key": "made", "Value": "by Packer"}]
        assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 2
    image = images(endpoint)["baked"]
    asked = {"ImageId": image["ImageId"], "Attribute": "launchPermission"}
    assert cloud.ec2.describe_image_attribute(**asked)["LaunchPermissions"] == [{"UserId": FRIEND}]
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (snapshot,) = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert {"Key": "of", "Value": "root"} in snapshot["Tags"]
    states = [
        instance["State"]["Name"]
        for reservation in cloud.ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
    assert states == ["terminated"]
    assert cloud.ec2.describe_volumes()["Volumes"] == []
    assert cloud.ec2.describe_key_pairs()["KeyPairs"] == []


def test_an_image_of_a_second_disk(endpoint: Endpoint, build: Any) -> None:
    build(
        "amazon-ebssurrogate",
        ami_name="second",
        ami_virtualization_type="hvm",
        skip_region_validation=True,
        launch_block_device_mappings=[SECOND_DISK],
        ami_root_device={
            **SECOND_DISK,
            "device_name": "/dev/xvda",
            "source_device_name": "/dev/sdf",
        },
    )
    (root,) = images(endpoint)["second"]["BlockDeviceMappings"]
    assert (root["DeviceName"], root["Ebs"]["VolumeSize"]) == ("/dev/xvda", 2)


def test_a_volume(endpoint: Endpoint, build: Any) -> None:
    kept = {**SECOND_DISK, "delete_on_termination": False, "tags": {"is": "kept"}}
    build("amazon-ebsvolume", ebs_volumes=[kept])
    (volume,) = endpoint.connect().ec2.describe_volumes()["Volumes"]
    assert (volume["State"], volume["Tags"]) == ("available", [{"Key": "is", "Value": "kept"}])
