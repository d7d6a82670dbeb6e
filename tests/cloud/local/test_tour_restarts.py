"""What is written of an account, and what it says of itself before and after a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.store import BLOCK_SIZE
from tests.cloud.local.tour import Notes, Tour, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
GUEST = "210987654321"
MINE = {"OwnerIds": ["self"]}


def written(folder: Path) -> str:
    """All that is written; the names of files are told where nobody draws them."""
    notes = Notes()
    for path in sorted(folder.rglob("*.json")):
        drawn = path.name != "bucket.json" and "buckets" in path.parts
        name = f"{path.parent.relative_to(folder)}/{'*' if drawn else path.name}"
        notes.note(name, json.loads(path.read_text(), object_hook=_settled))
    return notes.text


def _settled(entry: dict[str, Any]) -> dict[str, Any]:
    """Without times, and what is drawn of a file's name."""
    for name, value in entry.items():
        if isinstance(value, float) and value > 1e9:
            entry[name] = "<time>"
        if name == "bytes":
            entry[name] = f"{value.partition('-')[0]}-*"
    return entry


def test_images_and_what_is_beside_them(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot(b"a" * BLOCK_SIZE + b"b")
    key = account.kms.create_key(Description="disks")["KeyMetadata"]["Arn"]
    account.kms.create_alias(AliasName="alias/disks", TargetKeyId=key)
    account.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    several = account.kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    account.kms.disable_key(KeyId=several)
    child = account.ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=disk, Description="child")
    child_id = child["SnapshotId"]
    account.ebs.complete_snapshot(SnapshotId=child_id, ChangedBlocksCount=0)
    account.ebs.start_snapshot(VolumeSize=1, Description="not completed")
    locked = account.ec2.copy_snapshot(
        SourceRegion="us-east-1",
        SourceSnapshotId=disk,
        Encrypted=True,
        KmsKeyId=key,
        Description="locked",
        TagSpecifications=tagged("snapshot", Name="locked"),
    )["SnapshotId"]
    lost = account.ec2.copy_snapshot(
        SourceRegion="us-east-1", SourceSnapshotId=disk, Encrypted=True, KmsKeyId=several
    )["SnapshotId"]
    account.clock.advance(30)
    plain = account.image(disk)
    rich = account.image(
        disk,
        "rich",
        Description="all that one can say",
        Architecture="arm64",
        BootMode="uefi",
        ImdsSupport="v2.0",
        TpmSupport="v2.0",
        SriovNetSupport="simple",
        TagSpecifications=tagged("image", Name="rich"),
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": child_id, "VolumeType": "gp3"}},
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 2, "DeleteOnTermination": False}},
        ],
    )
    copied = account.ec2.copy_image(
        SourceRegion="us-east-1", SourceImageId=plain, Name="copied", ClientToken="token"
    )["ImageId"]
    account.clock.advance(30)
    account.ec2.describe_images(Owners=["self"])
    share = {"LaunchPermission": {"Add": [{"UserId": GUEST}]}}
    account.ec2.modify_image_attribute(ImageId=rich, **share)
    account.ec2.modify_snapshot_attribute(
        SnapshotId=disk, CreateVolumePermission={"Add": [{"UserId": GUEST}]}
    )
    account.ec2.enable_image_deprecation(
        ImageId=rich, DeprecateAt=datetime.now(UTC) + timedelta(days=400)
    )
    account.ec2.enable_image_deregistration_protection(ImageId=plain, WithCooldown=True)
    account.ec2.disable_image(ImageId=copied)
    account.ec2.enable_ebs_encryption_by_default()
    account.ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    account.ec2.disable_image_block_public_access()
    account.ec2.enable_snapshot_block_public_access(State="block-new-sharing")
    data = {"ImageId": plain, "InstanceType": "c5.large", "UserData": "eA=="}
    template = account.ec2.create_launch_template(
        LaunchTemplateName="one",
        LaunchTemplateData=data,
        VersionDescription="first",
        TagSpecifications=tagged("launch-template", Name="one"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    for version in ("2", "3"):
        account.ec2.create_launch_template_version(
            LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"KeyName": version}
        )
    account.ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="3")
    account.ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=["2"])
    parameter = {"Name": "/images/web", "Type": "String"}
    account.ssm.put_parameter(**parameter, Value="text", Tags=[{"Key": "a", "Value": "b"}])
    account.ssm.put_parameter(**parameter, Value=plain, DataType="aws:ec2:image", Overwrite=True)
    account.clock.advance(1)
    account.ssm.get_parameter(Name="/images/web")
    account.ssm.put_parameter(Name="/secret", Type="SecureString", Value="secret")
    account.ssm.label_parameter_version(Name="/images/web", ParameterVersion=1, Labels=["old"])

    def look() -> None:
        tour("ec2.describe_images", Owners=["self"], IncludeDisabled=True)
        tour("ec2.describe_snapshots", **MINE)
        for image in (plain, rich):
            tour("ec2.describe_image_attribute", ImageId=image, Attribute="launchPermission")
        permission = "createVolumePermission"
        tour("ec2.describe_snapshot_attribute", SnapshotId=disk, Attribute=permission)
        for snapshot in (disk, child_id, locked, lost):
            tour("ebs.list_snapshot_blocks", SnapshotId=snapshot)
        both = {"FirstSnapshotId": disk, "SecondSnapshotId": child_id}
        tour("ebs.list_changed_blocks", **both)
        tour("ec2.get_ebs_encryption_by_default")
        tour("ec2.get_ebs_default_kms_key_id")
        tour("ec2.get_image_block_public_access_state")
        tour("ec2.get_snapshot_block_public_access_state")
        tour("ec2.describe_launch_templates")
        tour("ec2.describe_launch_template_versions", LaunchTemplateId=template)
        tour("ec2.describe_tags")
        for one in (key, several):
            tour("kms.describe_key", KeyId=one)
            tour("kms.list_resource_tags", KeyId=one)
        tour("kms.list_aliases")
        for name in ("/images/web", "/secret"):
            tour("ssm.get_parameter", Name=name, WithDecryption=True)
            tour("ssm.get_parameter_history", Name=name)
        tour("ssm.list_tags_for_resource", ResourceType="Parameter", ResourceId="/images/web")

    assert account.site.index
    look()
    compare(HERE / "kept.txt", written(account.site.index))
    with install(account.restarted()), mock_aws():
        tour.text += "\n--- after a restart\n"
        look()
        tour("ec2.deregister_image", ImageId=plain)
        tour("ec2.create_launch_template_version", LaunchTemplateId=template, LaunchTemplateData={})
    compare(HERE / "restart.txt", tour.text)


def test_buckets(tour: Tour) -> None:
    account = tour.account
    s3: Any = account.s3
    bucket = {"Bucket": "kept"}
    s3.create_bucket(**bucket, ObjectLockEnabledForBucket=True)
    s3.put_bucket_tagging(**bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object(**bucket, Key="one", Body=b"first", Metadata={"m": "1"}, ContentType="text/x")
    s3.put_object(**bucket, Key="one", Body=b"second", Tagging="t=1", ChecksumAlgorithm="SHA256")
    s3.put_object(**bucket, Key="two/three", Body=b"x" * 5000, StorageClass="STANDARD_IA")
    s3.delete_object(**bucket, Key="two/three")
    s3.put_object(**bucket, Key="sealed", Body=b"", ServerSideEncryption="AES256")
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="key", Body=b"body")
    rule = {"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket="plain", LifecycleConfiguration={"Rules": [rule]})

    def look() -> None:
        tour("s3.list_buckets")
        for name in ("kept", "plain"):
            tour("s3.list_objects_v2", Bucket=name)
            tour("s3.list_object_versions", Bucket=name)
            for what in ("tagging", "lifecycle_configuration", "versioning", "location"):
                tour(f"s3.get_bucket_{what}", Bucket=name)
            tour("s3.get_object_lock_configuration", Bucket=name)
        for key in ("one", "two/three", "sealed"):
            tour("s3.get_object", Bucket="kept", Key=key, ChecksumMode="ENABLED")
            tour("s3.get_object_tagging", Bucket="kept", Key=key)

    assert account.site.index
    look()
    compare(HERE / "kept-buckets.txt", written(account.site.index))
    with install(account.restarted()), mock_aws():
        tour.text += "\n--- after a restart\n"
        look()
        tour("s3.put_object", **bucket, Key="one", Body=b"third")
        tour("s3.list_object_versions", **bucket)
    compare(HERE / "restart-of-buckets.txt", tour.text)
