"""What is ours, and that nothing else is ever touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from nitro.cloud import (
    Cloud,
    DiskImage,
    Resource,
    Undo,
    destroy,
    expired,
    importer,
    inventory,
    role,
    storage,
    tags,
)
from nitro.cloud.upload import upload_disk
from nitro.errors import NitroError
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter
from tests.cloud.conftest import NOTHING, RUN, connect, everything, make_bucket, recorded, refuse
from tests.cloud.joint import running


def foreign(cloud: Cloud, disk: DiskImage) -> dict[str, list[str]]:
    """Someone else's work in the same account, some of it with names like ours."""
    make_bucket(cloud, "nitro-of-others")
    cloud.s3.put_object(Bucket="nitro-of-others", Key="images/x.raw", Body=disk.path.read_bytes())
    task = cloud.ec2.import_snapshot(
        DiskContainer={
            "Format": "RAW",
            "UserBucket": {"S3Bucket": "nitro-of-others", "S3Key": "images/x.raw"},
        },
        RoleName="others",
    )
    with Reporter().stage("") as stage:
        snapshot = importer.wait_for_import(cloud, task["ImportTaskId"], stage)
    image = cloud.ec2.register_image(
        Name="bench",
        Architecture="x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        TagSpecifications=tags.as_specification(["image"], {"Name": "bench"}),
    )["ImageId"]
    group = cloud.ec2.create_security_group(GroupName="nitro-d-test", Description="theirs")
    cloud.ec2.run_instances(
        ImageId=image,
        InstanceType="c5.large",
        MinCount=1,
        MaxCount=1,
        ClientToken="theirs",
        SecurityGroupIds=[group["GroupId"]],
        TagSpecifications=tags.as_specification(["instance"], {"nitro": "yes"}),
    )
    return everything(cloud)


@pytest.fixture
def theirs(cloud: Cloud, disk: DiskImage) -> dict[str, list[str]]:
    cloud.iam.create_role(RoleName="others", AssumeRolePolicyDocument=json.dumps(role.trust()))
    cloud.iam.put_role_policy(
        RoleName="others",
        PolicyName="p",
        PolicyDocument=json.dumps(role.permissions(cloud, "nitro-of-others")),
    )
    return foreign(cloud, disk)


@pytest.mark.extended
def test_foreign_resources_are_not_ours_and_outlive_everything(
    cloud: Cloud, disk: DiskImage, theirs: dict[str, list[str]]
) -> None:
    assert inventory(cloud) == []
    running(cloud, disk)
    resources = inventory(cloud)
    ours = {resource.id for resource in resources}
    assert ours.isdisjoint({id_ for ids in theirs.values() for id_ in ids})
    destroy(cloud, resources)
    assert inventory(cloud) == []
    assert everything(connect()) == theirs


@pytest.mark.extended
def test_everything_of_ours_is_listed(cloud: Cloud, disk: DiskImage) -> None:
    done = running(cloud, disk)
    published = done.published
    found = inventory(cloud)
    assert [resource.kind for resource in found] == [
        "instance",
        "security-group",
        "image",
        "snapshot",
        "bucket",
    ]
    by_id = {resource.id: resource for resource in found}
    assert by_id[done.instance.id].deployment == done.id
    assert by_id[done.instance.id].name == "nitro-bench"
    assert by_id[published.ami_id].digest == disk.digest
    assert by_id[published.snapshot_id].size_bytes >= disk.size_bytes


@pytest.mark.extended
def test_it_is_destroyed_in_whatever_order_it_comes(cloud: Cloud, disk: DiskImage) -> None:
    running(cloud, disk)
    found = inventory(cloud)
    gone = destroy(cloud, reversed(found))
    assert {resource.id for resource in gone} == {resource.id for resource in found}
    assert everything(connect()) == NOTHING
    assert destroy(cloud, found) == found  # once more is no error


def test_what_a_killed_run_leaves_is_found_and_removed(
    cloud: Cloud, disk: DiskImage, site: Site
) -> None:
    site.pace = replace(Pace(), import_snapshot=60.0)
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(cloud, undo)
        cloud.s3.create_multipart_upload(**bucket.address, Key="images/half.raw")
        upload_disk(cloud, bucket, disk, RUN, stage)
        importer.start(cloud, bucket, disk, RUN, undo)
    found = inventory(cloud)
    assert [resource.kind for resource in found] == ["import-task", "upload", "object", "bucket"]
    destroy(cloud, found)
    assert inventory(cloud) == []
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_a_snapshot_that_nobody_claimed_is_found_through_its_task(
    cloud: Cloud, disk: DiskImage
) -> None:
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(cloud, undo)
        upload_disk(cloud, bucket, disk, RUN, stage)
        importer.wait_for_import(
            cloud, str(importer.start(cloud, bucket, disk, RUN, undo).id), stage
        )
    found = inventory(cloud)
    assert found[0].kind == "import-task"
    destroy(cloud, found)
    assert everything(connect()) == NOTHING


@pytest.mark.parametrize(("seconds", "over"), [(-1, False), (0, True), (1, True)])
def test_a_time_to_live_ends_at_its_very_second(seconds: int, over: bool) -> None:
    resource = Resource("instance", "i-1", tags={tags.EXPIRES: "2030-01-01T00:00:00Z"})
    assert resource.expires
    now = resource.expires + timedelta(seconds=seconds)
    assert expired([resource, Resource("instance", "i-2")], now) == [resource] * over


@pytest.mark.extended
def test_only_what_is_over_is_swept(cloud: Cloud, disk: DiskImage) -> None:
    running(cloud, disk, ttl=timedelta(seconds=-1))
    new = running(cloud, disk, ttl=timedelta(hours=1))
    destroy(cloud, expired(inventory(cloud)))
    left = [resource for resource in inventory(cloud) if resource.deployment]
    assert {resource.deployment for resource in left} == {new.id}
    assert len(left) == 2


@pytest.mark.extended
def test_a_failure_names_what_is_left_and_does_not_stop_the_rest(
    cloud: Cloud, disk: DiskImage
) -> None:
    published = running(cloud, disk).published
    victim = connect()
    refuse(victim, "ec2.DeregisterImage", "UnauthorizedOperation")
    with pytest.raises(NitroError, match=f"could not remove {published.ami_id}"):
        destroy(victim, inventory(victim))
    assert everything(connect())["buckets"] == []


@pytest.mark.extended
def test_looking_changes_nothing(cloud: Cloud, disk: DiskImage) -> None:
    running(cloud, disk)
    calls = recorded(observer := connect())
    inventory(observer)
    assert [call for call in calls if call.changes] == []


def test_in_a_bucket_of_the_users_own_only_tagged_objects_are_ours(
    cloud: Cloud, disk: DiskImage
) -> None:
    make_bucket(cloud, "shared")
    cloud.s3.put_object(Bucket="shared", Key="images/theirs.raw", Body=b"x")
    with Reporter().stage("") as stage:
        upload_disk(cloud, storage.Bucket("shared", cloud.account), disk, RUN, stage)
    (found,) = inventory(cloud, "shared")
    assert found.id == f"shared/{storage.image_key(disk.digest, RUN.id)}"
