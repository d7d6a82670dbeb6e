"""What is answered of volumes, their attachments, their changes and their snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NOTHING = "vol-0123456789abcdef0"
HOUR = 3600


def test_volumes(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot()
    here = {"AvailabilityZone": "us-east-1a"}
    asked: list[dict[str, Any]] = [
        {"Size": 1},
        {"Size": 2000},
        {"Size": 6000},
        {"Size": 1, "VolumeType": "standard"},
        {"Size": 125, "VolumeType": "st1"},
        {"Size": 4, "VolumeType": "gp3"},
        {"Size": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 1000},
        {"Size": 4, "VolumeType": "io1", "Iops": 200},
        {"Size": 4, "VolumeType": "io2", "Iops": 4000},
        {"SnapshotId": disk, "TagSpecifications": tagged("volume", Name="one")},
        {"SnapshotId": disk, "Size": 2, "Encrypted": True},
    ]
    refused: list[dict[str, Any]] = [
        {},
        {"Size": 0},
        {"Size": 16385},
        {"Size": 1025, "VolumeType": "standard"},
        {"Size": 124, "VolumeType": "st1"},
        {"Size": 124, "VolumeType": "sc1"},
        {"Size": 3, "VolumeType": "io1", "Iops": 100},
        {"Size": 4, "VolumeType": "io1"},
        {"Size": 4, "VolumeType": "io1", "Iops": 99},
        {"Size": 4, "VolumeType": "io1", "Iops": 201},
        {"Size": 2000, "VolumeType": "io1", "Iops": 64001},
        {"Size": 4, "VolumeType": "io2", "Iops": 4001},
        {"Size": 4, "VolumeType": "gp3", "Iops": 2999},
        {"Size": 4, "VolumeType": "gp3", "Iops": 3001},
        {"Size": 400, "VolumeType": "gp3", "Iops": 80001},
        {"Size": 4, "VolumeType": "gp3", "Throughput": 124},
        {"Size": 4, "VolumeType": "gp3", "Throughput": 751},
        {"Size": 400, "VolumeType": "gp3", "Iops": 80000, "Throughput": 2001},
        {"Size": 4, "Iops": 100},
        {"Size": 4, "VolumeType": "io1", "Iops": 100, "Throughput": 125},
        {"Size": 1, "AvailabilityZone": "us-east-1z"},
        {"SnapshotId": "snap-0123456789abcdef0"},
    ]
    for given in asked:
        made = tour("ec2.create_volume", **{**here, **given})
        assert made
    tour.each("ec2.create_volume", *refused, **here)
    volume = made["VolumeId"]
    account.clock.advance(1)
    big = account.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    tour("ec2.create_volume", SnapshotId=big, **here)
    account.clock.advance(3)
    tour("ec2.create_volume", SnapshotId=big, Size=1, **here)
    tour("ec2.describe_volumes", VolumeIds=[volume])
    tour("ec2.describe_volumes", VolumeIds=[NOTHING])
    tour("ec2.describe_volume_status", VolumeIds=[volume])
    told = {"VolumeId": volume}
    for name in ("autoEnableIO", "productCodes"):
        tour("ec2.describe_volume_attribute", Attribute=name, **told)
    tour("ec2.modify_volume_attribute", **told)
    tour("ec2.modify_volume_attribute", AutoEnableIO={"Value": True}, **told)
    tour("ec2.describe_volume_attribute", Attribute="autoEnableIO", **told)
    tour("ec2.delete_volume", **told)
    tour("ec2.delete_volume", **told)
    for pair in (("size", "4"), ("volume-type", "gp3"), ("tag:Name", "one"), ("status", "x")):
        found = account.ec2.describe_volumes(Filters=filters(pair))["Volumes"]
        tour.note(f"volumes with {pair[0]}={pair[1]}", [each["VolumeId"] for each in found])
    compare(HERE / "volumes.txt", tour.text)


def test_attachments(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    begun = account.run(image, Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    zone = "AvailabilityZone"
    here = account.ec2.create_volume(Size=1, **{zone: "us-east-1a"})["VolumeId"]
    there = account.ec2.create_volume(Size=1, **{zone: "us-east-1b"})["VolumeId"]
    attach, detach = "ec2.attach_volume", "ec2.detach_volume"
    of_it = {"VolumeId": here, "InstanceId": begun, "Device": "/dev/sdf"}
    account.ec2.describe_instances()
    tour.each(
        attach,
        {"VolumeId": NOTHING},
        {"VolumeId": there},
        {"InstanceId": "i-0123456789abcdef0"},
        {"Device": "sdf"},
        {"Device": "/dev/xvda"},
        {},
        {},
        **of_it,
    )
    tour("ec2.describe_volumes", VolumeIds=[here])
    tour("ec2.describe_instances", InstanceIds=[begun])
    tour.guest(begun)
    root = account.instance(begun)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    tour("ec2.delete_volume", VolumeId=here)
    tour.each(
        detach,
        {"VolumeId": there},
        {"VolumeId": NOTHING},
        {"VolumeId": root},
        {"Device": "/dev/sdg", "VolumeId": here},
        {"InstanceId": "i-0123456789abcdef0", "VolumeId": here},
        {"VolumeId": here},
    )
    tour("ec2.describe_volumes", VolumeIds=[here])
    account.hypervisor.fails = "no slot"
    tour(attach, **of_it)
    account.hypervisor.fails = None
    tour("ec2.stop_instances", InstanceIds=[begun])
    account.ec2.describe_instances()
    tour(attach, **of_it)
    tour.each(detach, {"VolumeId": here}, {"VolumeId": root})
    tour("ec2.describe_volumes", VolumeIds=[here, root])
    tour("ec2.start_instances", InstanceIds=[begun])
    tour("ec2.terminate_instances", InstanceIds=[begun])
    tour(attach, **of_it)
    tour("ec2.describe_volumes", VolumeIds=[here, root])
    compare(HERE / "attachments.txt", tour.text)


def test_changes_of_volumes(tour: Tour) -> None:
    account = tour.account
    volume = account.ec2.create_volume(Size=4, AvailabilityZone="us-east-1a")["VolumeId"]
    of_it, modify, described = (
        {"VolumeId": volume},
        "ec2.modify_volume",
        "ec2.describe_volumes_modifications",
    )
    tour(described, VolumeIds=[volume])
    tour.each(
        modify,
        {},
        {"Size": 3},
        {"Iops": 200},
        {"VolumeType": "gp3", "Throughput": 751},
        {"VolumeId": NOTHING, "Size": 8},
        {"Size": 8, "VolumeType": "gp3"},
        {"Size": 9},
        **of_it,
    )
    for seconds in (0.2, 0.05, 0.2, 0.05):
        tour.after(seconds)
        tour(described, VolumeIds=[volume])
    tour("ec2.describe_volumes", VolumeIds=[volume])
    for seconds, change in (
        (6 * HOUR - 1, {"Size": 10}),
        (1, {"Iops": 4000}),
        (6 * HOUR, {"VolumeType": "io1"}),
        (0, {"Size": 100, "VolumeType": "io1"}),
        (6 * HOUR, {"VolumeType": "st1", "Size": 130}),
        (6 * HOUR, {"VolumeType": "gp2"}),
    ):
        tour.after(seconds)
        tour.each(modify, change, **of_it)
        tour(described)
    tour("ec2.describe_volumes", VolumeIds=[volume])
    tour(described, Filters=filters(("modification-state", "optimizing")))
    compare(HERE / "volume-changes.txt", tour.text)


def test_snapshots(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    sdb = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 2, "Encrypted": True}}
    begun = account.run(image, BlockDeviceMappings=[sdb])["InstanceId"]
    root, other = (
        each["Ebs"]["VolumeId"] for each in account.instance(begun)["BlockDeviceMappings"]
    )
    account.ec2.create_tags(Resources=[other], Tags=[{"Key": "of", "Value": "it"}])
    one = tour(
        "ec2.create_snapshot", VolumeId=root, Description="a disk",
        TagSpecifications=tagged("snapshot", Name="one"),
    )["SnapshotId"]  # fmt: skip
    tour("ec2.create_snapshot", VolumeId=NOTHING)
    whole = {"InstanceSpecification": {"InstanceId": begun}}
    made = tour(
        "ec2.create_snapshots", **whole, Description="all", CopyTagsFromSource="volume",
        TagSpecifications=tagged("snapshot", Name="all"),
    )["Snapshots"]  # fmt: skip
    tour.each(
        "ec2.create_snapshots",
        {"InstanceSpecification": {"InstanceId": begun, "ExcludeBootVolume": True}},
        {"InstanceSpecification": {"InstanceId": begun, "ExcludeDataVolumeIds": [other]}},
        {"InstanceSpecification": {"InstanceId": begun, "ExcludeDataVolumeIds": [NOTHING]}},
        {"InstanceSpecification": {"InstanceId": "i-0123456789abcdef0"}},
    )
    ids = [one, *(each["SnapshotId"] for each in made)]
    tour("ec2.describe_snapshots", SnapshotIds=ids)
    for _ in range(3):
        tour("ec2.create_snapshot", VolumeId=root)
    tour.after(3)
    tour("ec2.describe_snapshots", SnapshotIds=ids)
    tour("ec2.create_snapshot", VolumeId=root, DryRun=True)
    page = tour("ec2.describe_snapshots", OwnerIds=["self"], MaxResults=5)
    tour("ec2.describe_snapshots", OwnerIds=["self"], MaxResults=5, NextToken=page["NextToken"])
    for given in (("volume-id", root), ("volume-size", "2"), ("tag:of", "i?"), ("progress", "0%")):
        found = account.ec2.describe_snapshots(Filters=filters(given))["Snapshots"]
        tour.note(f"snapshots with {given[0]}={given[1]}", [each["SnapshotId"] for each in found])
    tour("ec2.delete_snapshot", SnapshotId=one)
    tour("ec2.delete_snapshot", SnapshotId=one)
    tour("ec2.delete_snapshot", SnapshotId=account.image_snapshot(image))
    account.site.volumes.delete(root)
    account.ec2.terminate_instances(InstanceIds=[begun])
    tour("ec2.create_snapshots", **whole)
    compare(HERE / "snapshots.txt", tour.text)
