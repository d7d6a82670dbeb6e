"""What is answered of snapshots and images, from their import to their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.local.conftest import BUCKET
from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NOBODY = "ami-0123456789abcdef0"
NOTHING = "snap-0123456789abcdef0"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-0123456789"
UNIT = "arn:aws:organizations::123456789012:ou/o-0123456789/ou-0123-01234567"


def container(key: str = "disk.raw", bucket: str = BUCKET, **more: Any) -> dict[str, Any]:
    return {"UserBucket": {"S3Bucket": bucket, "S3Key": key}, **more}


def mapping(snapshot_id: str, device: str = "/dev/xvda", **more: Any) -> list[dict[str, Any]]:
    return [{"DeviceName": device, "Ebs": {"SnapshotId": snapshot_id, **more}}]


def test_imports_of_snapshots(tour: Tour) -> None:
    account = tour.account
    tour("ec2.import_snapshot", DiskContainer=container())
    account.add_role()
    account.upload(b"disk")
    account.s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    account.there("eu-west-1").s3.create_bucket(
        Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    asked = {
        "Description": "what it is for",
        "DiskContainer": container(Format="raw", Description="the disk"),
        "TagSpecifications": tagged("import-snapshot-task", Name="one"),
        "ClientToken": "t",
    }
    task = tour("ec2.import_snapshot", **asked)["ImportTaskId"]
    tour("ec2.import_snapshot", **asked)
    tour("ec2.import_snapshot", **{**asked, "Description": "other"})
    tour("ec2.import_snapshot", DryRun=True, **{**asked, "ClientToken": "u"})
    tour.each(
        "ec2.import_snapshot",
        {"DiskContainer": {"Format": "RAW"}},
        {"DiskContainer": {"UserBucket": {"S3Bucket": BUCKET}}},
        {"DiskContainer": container(Format="OVA")},
        {"DiskContainer": container(Format="qcow2")},
        {"DiskContainer": container(bucket="far")},
        {"DiskContainer": container(), "RoleName": "other"},
        {"DiskContainer": container(), "KmsKeyId": "alias/none"},
    )
    failing = [
        tour("ec2.import_snapshot", DiskContainer=each, **more)["ImportTaskId"]
        for each, more in (
            (container("none"), {}),
            (container("empty"), {}),
            (container(Format="VMDK"), {}),
            (container(), {"Encrypted": True, "KmsKeyId": "alias/none"}),
        )
    ]
    stopped = tour("ec2.import_snapshot", DiskContainer=container(), Encrypted=True)
    for seconds in (1.9, 0.1, 3, 4.9):
        tour.after(seconds)
        tour("ec2.describe_import_snapshot_tasks", ImportTaskIds=[task])
    tour("ec2.cancel_import_task", ImportTaskId=stopped["ImportTaskId"], CancelReason="no more")
    tour("ec2.cancel_import_task", ImportTaskId=stopped["ImportTaskId"])
    tour.after(0.1)
    tour("ec2.describe_import_snapshot_tasks", ImportTaskIds=[task])
    tour("ec2.describe_import_snapshot_tasks", ImportTaskIds=failing)
    tour("ec2.describe_import_snapshot_tasks", ImportTaskIds=["import-snap-0123456789abcdef0"])
    tour("ec2.describe_import_snapshot_tasks", Filters=filters(("task-state", "cancelled")))
    tour("ec2.describe_import_snapshot_tasks", Filters=filters(("tag:Name", "o*")))
    tour("ec2.cancel_import_task", ImportTaskId=task)
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    compare(HERE / "snapshot-imports.txt", tour.text)


def test_imports_of_images(tour: Tour) -> None:
    account = tour.account
    account.add_role()
    account.upload(b"disk")
    account.s3.put_object(Bucket=BUCKET, Key="more.raw", Body=b"more" * 1000)
    account.s3.put_object(Bucket=BUCKET, Key="bad.ova", Body=b"no archive")
    raw = container(Format="raw", Description="first", DeviceName="/dev/sdf")
    whole = {
        "DiskContainers": [raw, container("more.raw", Format="RAW")],
        "Architecture": "arm64",
        "BootMode": "uefi",
        "Description": "all of it",
        "Platform": "Linux",
        "TagSpecifications": tagged("import-image-task", Name="one"),
    }
    task = tour("ec2.import_image", **whole)["ImportTaskId"]
    plain = tour("ec2.import_image", DiskContainers=[container(Format="RAW")], Encrypted=True)
    archive = tour("ec2.import_image", DiskContainers=[container("bad.ova", Format="OVA")])
    ids = [task, plain["ImportTaskId"], archive["ImportTaskId"]]
    tour.each(
        "ec2.import_image",
        {},
        {"DiskContainers": [{"Format": "RAW"}]},
        {"DiskContainers": [container()]},
        {"DiskContainers": [container("bad.ova", Format="OVA"), container(Format="RAW")]},
        {"DiskContainers": [raw, raw]},
        {"DiskContainers": [raw], "Architecture": "sparc"},
        {"DiskContainers": [raw], "Platform": "Windows"},
        {"DiskContainers": [raw], "RoleName": "none"},
    )
    tour("ec2.describe_import_image_tasks", ImportTaskIds=["import-ami-0123456789abcdef0"])
    for seconds in (5, 5):
        tour.after(seconds)
        tour("ec2.describe_import_image_tasks", ImportTaskIds=ids)
    many = [container(Format="RAW") for _ in range(13)]
    more = tour("ec2.import_image", DiskContainers=many)["ImportTaskId"]
    tour.after(10)
    account.ec2.describe_regions()
    text = account.ec2.describe_import_image_tasks(ImportTaskIds=[more])["ImportImageTasks"][0]
    tour.note("too many disks", [text["Status"], text["StatusMessage"]])
    tour("ec2.describe_images", Owners=["self"])
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    compare(HERE / "image-imports.txt", tour.text)


def test_images(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot()
    plain = {"Name": "plain", "BlockDeviceMappings": mapping(disk), "RootDeviceName": "/dev/xvda"}
    rich = {
        **plain,
        "Name": "rich (1) [x]./-'@_",
        "Description": "an image",
        "Architecture": "arm64",
        "VirtualizationType": "hvm",
        "BootMode": "uefi",
        "EnaSupport": True,
        "ImdsSupport": "v2.0",
        "TpmSupport": "v2.0",
        "UefiData": "AAAA",
        "SriovNetSupport": "simple",
        "BlockDeviceMappings": [
            *mapping(disk, VolumeSize=3, VolumeType="gp3", DeleteOnTermination=False),
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 2}},
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
        ],
        "TagSpecifications": tagged("image", Name="rich", team="kernel"),
    }
    first = tour("ec2.register_image", **plain)["ImageId"]
    second = tour("ec2.register_image", **rich)["ImageId"]
    unknown = mapping(NOTHING)
    new = {**plain, "Name": "new"}
    tour.each(
        "ec2.register_image",
        {"Name": "ab"},
        {"Name": "a" * 129},
        {"Name": "a*b"},
        {"Name": "plain"},
        {"BlockDeviceMappings": []},
        {"BlockDeviceMappings": unknown},
        {"BlockDeviceMappings": mapping(disk, Encrypted=True)},
        {"BlockDeviceMappings": [*mapping(disk), {"DeviceName": "/dev/sdb", "Ebs": {}}]},
        {"RootDeviceName": "/dev/sda1"},
        {"ImageLocation": "bucket/manifest"},
        {"DryRun": True},
        **new,
    )
    asked = {"ImageIds": [first, second]}
    tour("ec2.describe_images", **asked)
    tour("ec2.deregister_image", ImageId=NOBODY)
    tour.after(2)
    tour("ec2.describe_images", **asked)
    for given in (
        ("name", "rich*"), ("architecture", "i386"), ("ena-support", "true"), ("state", "pending"),
        ("block-device-mapping.snapshot-id", disk), ("tag:team", "kernel"), ("tag-key", "Name"),
        ("is-public", "true"), ("root-device-type", "ebs"), ("image-type", "kernel"),
        ("nothing", "x"),
    ):  # fmt: skip
        found = tour.account.ec2.describe_images
        try:
            told = [each["Name"] for each in found(Filters=filters(given))["Images"]]
        except account.ec2.exceptions.ClientError as error:
            told = [str(error)]
        tour.note(f"images with {given[0]}={given[1]}", told)
    for name in (
        *("description", "kernel", "ramdisk", "launchPermission", "productCodes", "bootMode"),
        *("blockDeviceMapping", "sriovNetSupport", "tpmSupport", "uefiData", "lastLaunchedTime"),
        *("imdsSupport", "deregistrationProtection"),
    ):
        tour("ec2.describe_image_attribute", ImageId=second, Attribute=name)
    tour("ec2.describe_images", ImageIds=[NOBODY])
    tour("ec2.describe_image_attribute", ImageId=NOBODY, Attribute="kernel")
    tour("ec2.delete_snapshot", SnapshotId=disk)
    tour("ec2.deregister_image", ImageId=first, DeleteAssociatedSnapshots=True)
    tour("ec2.deregister_image", ImageId=first)
    tour("ec2.describe_images", ImageIds=[first])
    tour("ec2.deregister_image", ImageId=second, DeleteAssociatedSnapshots=True)
    tour("ec2.describe_snapshots", SnapshotIds=[disk])
    compare(HERE / "images.txt", tour.text)


def test_who_may_use_them(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot()
    image = account.image(disk)
    of_image = {"ImageId": image, "Attribute": "launchPermission"}
    of_disk = {"SnapshotId": disk, "Attribute": "createVolumePermission"}
    everyone = {"OperationType": "add", "UserGroups": ["all"]}
    for change in (
        {"OperationType": "add", "UserIds": ["111122223333"]},
        {"LaunchPermission": {"Add": [{"UserId": "111122223333"}, {"UserId": "444455556666"}]}},
        {"LaunchPermission": {"Add": [{"OrganizationArn": ORGANIZATION}]}},
        {"OrganizationalUnitArns": [UNIT], "OperationType": "add"},
        {"OperationType": "remove", "OrganizationArns": [ORGANIZATION]},
        {"LaunchPermission": {"Remove": [{"UserId": "444455556666"}]}},
        {"UserIds": ["111122223333"]},
        {"LaunchPermission": {"Add": [{"UserId": "1111"}]}},
        {"LaunchPermission": {"Add": [{"Group": "some"}]}},
        {"LaunchPermission": {"Add": [{"OrganizationArn": "arn:aws:x"}]}},
        everyone,
        {},
        {"Description": {"Value": "changed"}},
        {"Attribute": "description", "Value": "changed again"},
        {"ImdsSupport": {"Value": "v1.0"}},
        {"ImdsSupport": {"Value": "v2.0"}},
    ):
        tour("ec2.modify_image_attribute", ImageId=image, **change)
        tour("ec2.describe_image_attribute", **of_image)
    tour("ec2.get_image_block_public_access_state")
    tour("ec2.disable_image_block_public_access")
    tour("ec2.get_image_block_public_access_state")
    tour("ec2.modify_image_attribute", ImageId=image, **everyone)
    tour("ec2.describe_images", ImageIds=[image])
    tour("ec2.enable_image_block_public_access", ImageBlockPublicAccessState="block-new-sharing")
    tour("ec2.describe_images", ExecutableUsers=["all"])
    tour("ec2.describe_images", ExecutableUsers=["111122223333"])
    tour("ec2.reset_image_attribute", **of_image)
    tour("ec2.describe_images", ImageIds=[image])
    for change in (
        {"OperationType": "add", "UserIds": ["111122223333"]},
        {"OperationType": "add", "GroupNames": ["all"]},
        {"CreateVolumePermission": {"Add": [{"UserId": "444455556666"}, {"Group": "all"}]}},
        {"CreateVolumePermission": {"Remove": [{"UserId": "111122223333"}]}},
        {"OperationType": "remove", "GroupNames": ["all"]},
        {"UserIds": ["x"]},
        {},
    ):
        tour("ec2.modify_snapshot_attribute", SnapshotId=disk, **change)
        tour("ec2.describe_snapshot_attribute", **of_disk)
    tour("ec2.get_snapshot_block_public_access_state")
    tour("ec2.enable_snapshot_block_public_access", State="unblocked")
    tour("ec2.enable_snapshot_block_public_access", State="block-all-sharing")
    tour("ec2.get_snapshot_block_public_access_state")
    public = {"OperationType": "add", "GroupNames": ["all"]}
    tour("ec2.modify_snapshot_attribute", SnapshotId=disk, **public)
    tour("ec2.disable_snapshot_block_public_access")
    tour("ec2.reset_snapshot_attribute", **of_disk)
    tour("ec2.describe_snapshot_attribute", **of_disk)
    tour("ec2.modify_snapshot_attribute", SnapshotId=NOTHING, **public)
    compare(HERE / "permissions.txt", tour.text)


def test_the_end_of_images(tour: Tour) -> None:
    account = tour.account
    image = {"ImageId": account.image(account.snapshot())}
    asked = {"ImageIds": [image["ImageId"]]}
    now = datetime.now(UTC)
    tour("ec2.describe_images", **asked)
    for days in (-1, 3654, 10):
        tour("ec2.enable_image_deprecation", DeprecateAt=now + timedelta(days), **image)
    tour("ec2.describe_images", **asked)
    tour("ec2.disable_image_deprecation", **image)
    tour("ec2.describe_images", **asked)
    protected = "ec2.enable_image_deregistration_protection"
    tour(protected, WithCooldown=True, **image)
    tour("ec2.deregister_image", **image)
    tour("ec2.disable_image_deregistration_protection", **image)
    tour.after(24 * 3600 - 1)
    tour("ec2.deregister_image", **image)
    tour("ec2.describe_images", **asked)
    tour.after(1)
    tour("ec2.describe_images", **asked)
    tour(protected, **image)
    tour("ec2.disable_image_deregistration_protection", **image)
    account.ec2.modify_image_attribute(
        **image, LaunchPermission={"Add": [{"UserId": "111122223333"}]}
    )
    tour("ec2.disable_image", **image)
    tour("ec2.disable_image", **image)
    tour("ec2.describe_images", **asked)
    tour("ec2.describe_images", **asked, IncludeDisabled=True)
    tour("ec2.run_instances", **image, InstanceType="c5.large", MinCount=1, MaxCount=1)
    tour("ec2.copy_image", SourceImageId=image["ImageId"], SourceRegion="us-east-1", Name="copy")
    tour("ec2.enable_image", **image)
    tour("ec2.describe_images", **asked)
    account.ec2.disable_image_block_public_access()
    account.ec2.modify_image_attribute(**image, LaunchPermission={"Add": [{"Group": "all"}]})
    for days in (732, 730):
        tour("ec2.enable_image_deprecation", DeprecateAt=now + timedelta(days), **image)
    disk = account.image_snapshot(image["ImageId"])
    root = {"RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mapping(disk)}
    tour("ec2.disable_image", ImageId=account.ec2.register_image(Name="new", **root)["ImageId"])
    for operation in ("enable_image", "disable_image", "disable_image_deprecation"):
        tour(f"ec2.{operation}", ImageId=NOBODY)
    compare(HERE / "image-life.txt", tour.text)


def test_copies(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot()
    image = account.image(disk, Description="first", BootMode="uefi")
    account.ec2.create_tags(Resources=[image], Tags=[{"Key": "team", "Value": "kernel"}])
    key = account.kms.create_key()["KeyMetadata"]["KeyId"]
    account.kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    home = {"SourceRegion": "us-east-1"}
    of_disk = {**home, "SourceSnapshotId": disk}
    copied = tour(
        "ec2.copy_snapshot", **of_disk, Description="a copy",
        TagSpecifications=tagged("snapshot", Name="copy"),
    )  # fmt: skip
    tour("ec2.copy_snapshot", **of_disk, Encrypted=True)
    tour("ec2.copy_snapshot", **of_disk, Encrypted=True, KmsKeyId="alias/mine")
    tour("ec2.copy_snapshot", **of_disk, Encrypted=True, KmsKeyId="alias/none")
    tour("ec2.copy_snapshot", **of_disk, KmsKeyId="alias/mine")
    tour("ec2.copy_snapshot", **home, SourceSnapshotId=NOTHING)
    tour("ec2.copy_snapshot", SourceRegion="moon-1", SourceSnapshotId=disk)
    tour("ec2.copy_snapshot", SourceRegion="eu-west-1", SourceSnapshotId=disk)
    tour("ec2.copy_snapshot", **home, SourceSnapshotId=copied["SnapshotId"])
    of_image = {**home, "SourceImageId": image}
    tour("ec2.copy_image", **of_image, Name="x")
    tour("ec2.copy_image", **of_image, Name="copy", TagSpecifications=tagged("volume", a="b"))
    tags = [*tagged("image", Name="c"), *tagged("snapshot", Name="s")]
    ids = [
        tour("ec2.copy_image", **of_image, Name="image")["ImageId"],
        tour(
            "ec2.copy_image", **of_image, Name="copy", Description="second", CopyImageTags=True,
            TagSpecifications=tags,
        )["ImageId"],
        tour("ec2.copy_image", **of_image, Name="safe", Encrypted=True, KmsKeyId=key)["ImageId"],
        tour(
            "ec2.copy_image", **of_image, Name="lost", Encrypted=True, KmsKeyId="alias/none"
        )["ImageId"],
    ]  # fmt: skip
    tour("ec2.describe_images", ImageIds=ids)
    tour.after(1)
    tour("ec2.describe_images", ImageIds=ids)
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    for name in ("encrypted", "status"):
        told = account.ec2.describe_snapshots(Filters=filters((name, "true,error")))["Snapshots"]
        tour.note(f"snapshots by {name}", [each["SnapshotId"] for each in told])
    copy = ids[2]
    share = {"LaunchPermission": {"Add": [{"UserId": "111122223333"}]}}
    tour("ec2.modify_image_attribute", ImageId=copy, **share)
    everyone = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
    account.ec2.disable_image_block_public_access()
    tour("ec2.modify_image_attribute", ImageId=copy, **everyone)
    other = account.there("eu-west-1").ec2
    told = other.copy_image(**of_image, Name="there")["ImageId"]
    account.clock.advance(1)
    [found] = other.describe_images(ImageIds=[told])["Images"]
    tour.note("copied to another region", {**found, "CreationDate": None})
    compare(HERE / "copies.txt", tour.text)


def test_encryption(tour: Tour) -> None:
    account = tour.account
    tour("ec2.get_ebs_encryption_by_default")
    tour("ec2.get_ebs_default_kms_key_id")
    tour("ec2.modify_ebs_default_kms_key_id", KmsKeyId="alias/none")
    key = account.kms.create_key()["KeyMetadata"]["KeyId"]
    account.kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{key}"
    for name in (key, "alias/mine", arn, arn.replace("east", "west"), arn.replace("123", "321")):
        tour("ec2.modify_ebs_default_kms_key_id", KmsKeyId=name)
    zone = {"AvailabilityZone": "us-east-1a", "Size": 1}
    tour("ec2.create_volume", **zone)
    tour("ec2.enable_ebs_encryption_by_default")
    tour("ec2.create_volume", **zone)
    tour("ec2.reset_ebs_default_kms_key_id")
    tour("ec2.create_volume", **zone)
    tour("ec2.create_volume", **zone, Encrypted=True, KmsKeyId="alias/none")
    tour("ec2.create_volume", **zone, KmsKeyId="alias/mine")
    tour("kms.disable_key", KeyId=key)
    tour("ec2.create_volume", **zone, Encrypted=True, KmsKeyId=key)
    tour("kms.list_aliases")
    tour("ec2.disable_ebs_encryption_by_default")
    tour("ec2.get_ebs_encryption_by_default")
    compare(HERE / "encryption.txt", tour.text)
