"""Runs that publish the same disk at the same time: each succeeds as if it were alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nitro.cloud import Cloud, DiskImage, Keep, Published, Undo, ami, publish, storage, tags
from nitro.errors import NitroError
from tests.cloud.conftest import NOTHING, RUN, after, connect, everything, recorded, refuse

CALLS = (
    "ec2.DescribeImages",
    "s3.CreateMultipartUpload",
    "s3.CompleteMultipartUpload",
    "ec2.ImportSnapshot",
    "ebs.GetSnapshotBlock",
)
MORE_CALLS = (
    "ec2.DescribeSnapshots",
    "ec2.DescribeImportSnapshotTasks",
    "s3.HeadBucket",
    "s3.CreateBucket",
    "s3.PutBucketLifecycleConfiguration",
    "s3.UploadPart",
    "s3.DeleteObject",
    "ec2.CreateTags",
    "ec2.RegisterImage",
)
MOMENTS = [
    *(pytest.param(call, Keep.IMAGE) for call in CALLS),
    *(pytest.param(call, Keep.NOTHING, marks=pytest.mark.slow) for call in CALLS),
    *(
        pytest.param(call, keep, marks=pytest.mark.slow)
        for call in MORE_CALLS
        for keep in (Keep.IMAGE, Keep.NOTHING)
    ),
]


def publish_it(disk: DiskImage, keep: Keep, cloud: Cloud | None = None) -> Published:
    """Publish, and use the AMI before what is not kept goes away."""
    cloud = cloud or connect()
    with Undo(keep=keep, sleep=cloud.sleep) as undo:
        published = publish(cloud, disk, undo)
        assert ami.describe(cloud, published.ami_id)["State"] == "available"
        return published


@pytest.mark.extended
@pytest.mark.parametrize(("call", "keep"), MOMENTS)
def test_others_publish_the_same_disk_after_any_call(
    cloud: Cloud, disk: DiskImage, call: str, keep: Keep
) -> None:
    others: list[Published] = []

    def publish_twice() -> None:
        others.extend(publish_it(disk, each) for each in (Keep.NOTHING, Keep.IMAGE))

    after(cloud, call, publish_twice)
    publish_it(disk, keep, cloud)
    _, kept = others
    left = everything(connect())
    assert left["images"] == [kept.ami_id]
    assert left["snapshots"] == [kept.snapshot_id]
    for bucket in left["buckets"]:
        assert "Contents" not in cloud.s3.list_objects_v2(Bucket=bucket)
        assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.extended
def test_two_threads_publish_the_same_disk(cloud: Cloud, disk: DiskImage) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(publish_it, [disk] * 2, [Keep.IMAGE] * 2)
    assert first.ami_id == second.ami_id
    left = everything(connect())
    assert left["images"] == [first.ami_id]
    assert left["snapshots"] == [first.snapshot_id]


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    "call",
    ["ec2.DescribeSnapshots", "ec2.DescribeImportSnapshotTasks", "ec2.CreateTags"],
)
def test_what_another_run_takes_back_is_made_anew(cloud: Cloud, disk: DiskImage, call: str) -> None:
    """The other run fails after this one has found what it made."""
    other = connect()
    refuse(other, "ec2.RegisterImage", "UnauthorizedOperation", status=403)
    undo = Undo(sleep=other.sleep)
    with pytest.raises(NitroError, match="permission denied"):
        publish(other, disk, undo)
    after(cloud, call, lambda: undo.unwind(Keep.NOTHING))
    mine = publish_it(disk, Keep.IMAGE, cloud)
    left = everything(connect())
    assert left["images"] == [mine.ami_id]
    assert left["snapshots"] == [mine.snapshot_id]


@pytest.mark.extended
def test_an_image_that_goes_away_after_it_was_found_is_made_anew(
    cloud: Cloud, disk: DiskImage
) -> None:
    first = publish_it(disk, Keep.IMAGE)
    remover = connect()
    after(cloud, "ec2.DescribeImages", lambda: ami.deregister(remover, first.ami_id))
    assert publish_it(disk, Keep.IMAGE, cloud).ami_id != first.ami_id


@pytest.mark.extended
def test_a_bucket_that_its_maker_removes_is_made_anew(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        bucket = storage.ensure_bucket(connect(), undo)
    remover = connect()
    after(cloud, "s3.HeadBucket", lambda: remover.s3.delete_bucket(Bucket=bucket.name))
    assert publish_it(disk, Keep.IMAGE, cloud).bytes_uploaded == disk.size_bytes


@pytest.mark.extended
def test_a_registration_whose_answer_was_lost_is_this_runs_to_remove(
    cloud: Cloud, disk: DiskImage
) -> None:
    """The repeated call finds the name taken, by the first."""
    again = connect()

    def register_already() -> None:
        (task,) = again.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]
        tag_map = tags.from_list(task["Tags"])
        again.ec2.register_image(
            Name=f"{tags.ami_name(disk.name, disk.digest, disk.boot_mode)}-{tag_map[tags.RUN]}",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {"SnapshotId": task["SnapshotTaskDetail"]["SnapshotId"]},
                }
            ],
            TagSpecifications=tags.as_specification(["image"], tag_map),
        )

    after(cloud, "ebs.GetSnapshotBlock", register_already)
    publish_it(disk, Keep.NOTHING, cloud)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_an_unfinished_upload_is_not_resumed_but_left(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    key = storage.image_key(disk.digest, RUN.id)
    theirs = cloud.s3.create_multipart_upload(**bucket.address, Key=key)["UploadId"]
    calls = recorded(again := connect())
    publish_it(disk, Keep.IMAGE, again)
    assert "CreateMultipartUpload" in {call.operation for call in calls}
    assert storage.uploads(cloud, bucket, key) == [theirs]
