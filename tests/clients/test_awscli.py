"""The AWS command line: upload, import, register, launch, copy between regions, clean up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Client, installed
from tests.clients.endpoint import SECOND_REGION, Endpoint
from tests.cloud.conftest import NOTHING, everything

pytestmark = pytest.mark.slow


@pytest.fixture
def aws(endpoint: Endpoint, tmp_path: Path) -> Client:
    return Client(endpoint, tmp_path, installed("awscli"), {"AWS_PAGER": ""})


def ec2(aws: Client, operation: str, *words: str) -> Any:
    text = aws.run("aws", "ec2", operation, "--output", "json", *words)
    return json.loads(text) if text.strip() else None


def import_disk(aws: Client) -> str:
    """The snapshot of `disk.raw`."""
    (aws.folder / "disk.raw").write_bytes(bytes(range(256)) * 40_000)  # of two parts
    aws.run("aws", "s3", "mb", "s3://clients-disks")
    aws.run("aws", "s3", "cp", "--no-progress", "disk.raw", "s3://clients-disks/disk.raw")
    disk = "Format=RAW,UserBucket={S3Bucket=clients-disks,S3Key=disk.raw}"
    task = ec2(aws, "import-snapshot", "--disk-container", disk)["ImportTaskId"]
    ec2(aws, "wait", "snapshot-imported", "--import-task-ids", task)
    (found,) = ec2(aws, "describe-import-snapshot-tasks", "--import-task-ids", task)[
        "ImportSnapshotTasks"
    ]
    return str(found["SnapshotTaskDetail"]["SnapshotId"])


def change_in_place(aws: Client, launched: Any) -> None:
    """A larger root volume, and an elastic address that comes and goes."""
    instance = launched["InstanceId"]
    wanted = f"Name=attachment.instance-id,Values={instance}"
    (root,) = ec2(aws, "describe-volumes", "--filters", wanted)["Volumes"]
    volume = root["VolumeId"]
    ec2(aws, "modify-volume", "--volume-id", volume, "--size", str(root["Size"] + 1))
    (change,) = ec2(aws, "describe-volumes-modifications", "--volume-ids", volume)[
        "VolumesModifications"
    ]
    assert (change["ModificationState"], change["TargetSize"]) == ("completed", root["Size"] + 1)
    address = ec2(aws, "allocate-address")
    allocation = ("--allocation-id", address["AllocationId"])
    given = ec2(aws, "associate-address", *allocation, "--instance-id", instance)
    (found,) = ec2(aws, "describe-instances", "--instance-ids", instance)["Reservations"]
    assert found["Instances"][0]["PublicIpAddress"] == address["PublicIp"]
    ec2(aws, "disassociate-address", "--association-id", given["AssociationId"])
    ec2(aws, "release-address", *allocation)


def test_from_a_disk_to_an_instance_and_back(aws: Client) -> None:
    snapshot = import_disk(aws)
    root = f"DeviceName=/dev/xvda,Ebs={{SnapshotId={snapshot},DeleteOnTermination=true}}"
    ami = ec2(
        aws,
        "register-image",
        *("--name", "from-cli", "--architecture", "x86_64", "--boot-mode", "uefi-preferred"),
        *("--virtualization-type", "hvm", "--ena-support"),
        *("--root-device-name", "/dev/xvda", "--block-device-mappings", root),
    )["ImageId"]
    ec2(aws, "wait", "image-available", "--image-ids", ami)
    ec2(aws, "create-key-pair", "--key-name", "key")
    launched = ec2(
        aws,
        "run-instances",
        *("--image-id", ami, "--instance-type", "c5.large", "--key-name", "key"),
    )
    instance = launched["Instances"][0]["InstanceId"]
    ec2(aws, "wait", "instance-running", "--instance-ids", instance)
    ec2(aws, "wait", "instance-status-ok", "--instance-ids", instance)
    aws.endpoint.hypervisor.write_console(instance, b"booted\n")
    output = ec2(aws, "get-console-output", "--latest", "--instance-id", instance)
    assert output["Output"] == "booted\n"

    change_in_place(aws, launched["Instances"][0])

    there = ("--region", SECOND_REGION)
    copy = ec2(
        aws,
        "copy-image",
        *(*there, "--source-region", "eu-central-1", "--source-image-id", ami, "--name", "copy"),
    )["ImageId"]
    ec2(aws, "wait", "image-available", *there, "--image-ids", copy)
    (copied,) = ec2(aws, "describe-images", *there, "--owners", "self")["Images"]
    copied_snapshot = copied["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert copied_snapshot != snapshot

    ec2(aws, "terminate-instances", "--instance-ids", instance)
    ec2(aws, "wait", "instance-terminated", "--instance-ids", instance)
    for region, image, disk in ((), ami, snapshot), (there, copy, copied_snapshot):
        ec2(aws, "deregister-image", *region, "--image-id", image)
        ec2(aws, "delete-snapshot", *region, "--snapshot-id", disk)
    aws.run("aws", "s3", "rb", "--force", "s3://clients-disks")
    assert everything(aws.endpoint.connect()) == NOTHING
    assert everything(aws.endpoint.connect(SECOND_REGION)) == NOTHING


def test_a_second_sync_changes_nothing(aws: Client) -> None:
    folder = aws.folder / "files"
    folder.mkdir()
    for number in range(3):
        path = folder / f"{number}.txt"
        path.write_text("x" * number)
        # S3 tells whole seconds: a file of the same second can seem newer than its object.
        os.utime(path, (0, 1_700_000_000))
    aws.run("aws", "s3", "mb", "s3://clients-files")
    first = aws.run("aws", "s3", "sync", "--no-progress", "files", "s3://clients-files/")
    assert first.count("upload:") == 3
    assert aws.run("aws", "s3", "sync", "--no-progress", "files", "s3://clients-files/") == ""
