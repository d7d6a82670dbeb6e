"""Publishing: each step once, and never an image that is not the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nitro.cloud import (
    Cloud,
    DiskImage,
    Keep,
    Undo,
    ami,
    importer,
    publish,
    snapshot,
    storage,
    tags,
)
from nitro.cloud.upload import upload_disk
from nitro.errors import NitroError, RefusedError
from nitro.local.aws import Site
from nitro.local.aws.imports import ImportTask
from nitro.progress import Reporter
from tests.cloud.conftest import (
    NOTHING,
    RUN,
    after,
    connect,
    everything,
    make_disk,
    recorded,
    refuse,
    unproven,
)


def publish_it(cloud: Cloud, disk: DiskImage, keep: Keep = Keep.IMAGE):
    with Undo(keep=keep, sleep=cloud.sleep) as undo:
        return publish(cloud, disk, undo)


@pytest.mark.extended
def test_the_snapshot_holds_the_disk(cloud: Cloud, disk: DiskImage, site: Site) -> None:
    published = publish_it(cloud, disk)
    stored = site.store.path(published.snapshot_id).read_bytes()
    assert stored == disk.path.read_bytes()
    assert published.bytes_uploaded == disk.size_bytes
    assert not published.reused


@pytest.mark.extended
def test_the_image_says_what_the_disk_needs(cloud: Cloud, disk: DiskImage) -> None:
    published = publish_it(cloud, disk)
    image = cloud.ec2.describe_images(ImageIds=[published.ami_id])["Images"][0]
    assert image["Name"] == f"bench-{disk.digest[7:19]}-uefi-preferred"
    assert (image["Architecture"], image["BootMode"]) == ("x86_64", "uefi-preferred")
    assert image["EnaSupport"] is True
    assert image["ImdsSupport"] == "v2.0"
    assert image["VirtualizationType"] == "hvm"
    (mapping,) = image["BlockDeviceMappings"]
    assert mapping["DeviceName"] == image["RootDeviceName"]
    assert mapping["Ebs"]["VolumeType"] == "gp3"
    assert mapping["Ebs"]["DeleteOnTermination"] is True
    tag_map = tags.from_list(image["Tags"])
    assert len(tag_map.pop(tags.RUN)) == 8
    assert tag_map == {
        "Name": "bench",
        "team": "kernel",
        tags.OWNER: "nitro",
        tags.DIGEST: disk.digest,
        tags.MEMORY: "128",
    }
    snapshot = cloud.ec2.describe_snapshots(SnapshotIds=[published.snapshot_id])["Snapshots"][0]
    assert tags.from_list(snapshot["Tags"])[tags.DIGEST] == disk.digest


@pytest.mark.extended
def test_the_digest_is_tagged_only_after_the_read_back(cloud: Cloud, disk: DiskImage) -> None:
    """Whoever finds a snapshot by its digest may rely on it."""
    calls = recorded(again := connect())
    publish_it(again, disk)
    steps = [c for c in calls if c.operation in ("CreateTags", "GetSnapshotBlock")]
    first, *read, last = steps
    assert {call.operation for call in read} == {"GetSnapshotBlock"}
    without, complete = (tags.from_list(call.params["Tags"]) for call in (first, last))
    assert tags.ours(without)
    assert tags.DIGEST not in without
    assert complete == without | {tags.DIGEST: disk.digest}


@pytest.mark.extended
def test_nothing_stays_in_the_bucket(cloud: Cloud, disk: DiskImage) -> None:
    publish_it(cloud, disk)
    name = storage.own_bucket_name(cloud)
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=name)
    assert not cloud.s3.list_multipart_uploads(Bucket=name).get("Uploads")


@pytest.mark.extended
def test_the_second_time_everything_is_found(cloud: Cloud, disk: DiskImage) -> None:
    first = publish_it(cloud, disk)
    again = connect()
    calls = recorded(again)
    second = publish_it(again, disk)
    assert second == replace(first, reused=True, bytes_uploaded=0)
    assert [str(call) for call in calls if call.changes] == []


@pytest.mark.extended
def test_a_verified_snapshot_is_used_when_its_image_is_gone(cloud: Cloud, disk: DiskImage) -> None:
    first = publish_it(cloud, disk)
    ami.deregister(cloud, first.ami_id)
    second = publish_it(cloud, disk)
    assert second.snapshot_id == first.snapshot_id
    assert second.bytes_uploaded == 0
    assert second.ami_id != first.ami_id


@pytest.mark.extended
def test_one_byte_more_is_another_image(cloud: Cloud, disk: DiskImage, tmp_path: Path) -> None:
    first = publish_it(cloud, disk)
    second = publish_it(cloud, make_disk(tmp_path / "other.raw", seed=2))
    assert second.ami_id != first.ami_id
    assert second.snapshot_id != first.snapshot_id
    assert second.ami_name != first.ami_name


@pytest.mark.extended
def test_the_same_disk_for_another_boot_mode_is_another_image(
    cloud: Cloud, disk: DiskImage
) -> None:
    first = publish_it(cloud, disk)
    second = publish_it(cloud, replace(disk, boot_mode="uefi"))
    assert second.snapshot_id == first.snapshot_id
    assert second.ami_id != first.ami_id


def test_a_foreign_image_of_the_same_name_is_an_error_before_anything_is_sent(
    cloud: Cloud, disk: DiskImage, tmp_path: Path
) -> None:
    other = publish_it(cloud, make_disk(tmp_path / "other.raw", seed=2))
    name = tags.ami_name(disk.name, disk.digest, disk.boot_mode)
    foreign = cloud.ec2.register_image(
        Name=name,
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": other.snapshot_id}}],
    )["ImageId"]
    again = connect()
    calls = recorded(again)
    with pytest.raises(RefusedError, match=f"{name} is taken by {foreign}"):
        publish_it(again, disk)
    assert [call for call in calls if call.changes] == []


def test_a_tampered_object_is_refused_and_nothing_of_it_stays(
    cloud: Cloud, disk: DiskImage
) -> None:
    intruder = connect()

    def tamper() -> None:
        name = storage.own_bucket_name(cloud)
        key = intruder.s3.list_objects_v2(Bucket=name)["Contents"][0]["Key"]
        content = bytearray(intruder.s3.get_object(Bucket=name, Key=key)["Body"].read())
        content[2_000_000] ^= 1  # in what is a hole of the disk
        intruder.s3.put_object(Bucket=name, Key=key, Body=bytes(content))

    after(cloud, "s3.CompleteMultipartUpload", tamper)
    with pytest.raises(NitroError, match="byte range 1572864 to 2097151 differs") as caught:
        publish_it(cloud, disk)
    assert "who may write to the bucket" in str(caught.value)
    assert everything(connect()) == NOTHING


def test_an_unproven_snapshot_of_a_killed_run_is_proven_before_it_is_used(
    cloud: Cloud, disk: DiskImage, site: Site
) -> None:
    with Undo(sleep=cloud.sleep) as undo:  # a run that ends right after its import
        bucket = storage.ensure_bucket(cloud, undo)
        with Reporter().stage("") as stage:
            upload_disk(cloud, bucket, disk, RUN, stage)
            task = importer.start(cloud, bucket, disk, RUN, undo)
            snapshot_id = importer.wait_for_import(cloud, str(task.id), stage)
    again = connect()
    calls = recorded(again)
    published = publish_it(again, disk)
    assert published.snapshot_id == snapshot_id
    assert published.bytes_uploaded == 0
    assert "GetSnapshotBlock" in {call.operation for call in calls}
    assert "ImportSnapshot" not in {call.operation for call in calls}
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=bucket.name)


@pytest.mark.extended
@pytest.mark.parametrize("how", ["deleted", "deleting", "cancelled"])
def test_an_import_that_ends_otherwise_is_a_failure_with_its_message(
    cloud: Cloud, disk: DiskImage, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def advance(task: ImportTask) -> None:
        task.status, task.status_message = how, "ClientError: Disk validation failed"

    with monkeypatch.context() as broken:
        broken.setattr(ImportTask, "advance", advance)
        if how == "deleting":  # it does end, but not while it is looked at
            broken.setattr(importer, "STOPPING_DEADLINE", 0.05)
        with pytest.raises(NitroError, match=f"ended {how}: ClientError: Disk validation failed"):
            publish_it(cloud, disk)
    assert everything(connect()) == NOTHING | {"imports": []}
    # The same token would only find the failed task again.
    assert publish_it(connect(), disk).bytes_uploaded == disk.size_bytes


@pytest.mark.extended
def test_an_import_can_be_repeated_after_its_image_was_destroyed(
    cloud: Cloud, disk: DiskImage
) -> None:
    first = publish_it(cloud, disk, keep=Keep.IMAGE)
    ami.deregister(cloud, first.ami_id)
    snapshot.remove(cloud, first.snapshot_id)
    second = publish_it(cloud, disk)
    assert second.snapshot_id != first.snapshot_id


def test_a_missing_role_is_refused_with_its_remedy(bare_cloud: Cloud, disk: DiskImage) -> None:
    with pytest.raises(RefusedError) as caught:
        publish_it(bare_cloud, disk)
    assert "role vmimport provided does not exist" in caught.value.what
    assert "nitro doctor --create-role" in str(caught.value.hint)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_a_denied_call_names_the_action_and_leaves_nothing(cloud: Cloud, disk: DiskImage) -> None:
    refuse(
        cloud,
        "ec2.RegisterImage",
        "UnauthorizedOperation",
        "User: arn:aws:iam::1:user/u is not authorized to perform: ec2:RegisterImage on resource x",
        status=403,
    )
    with pytest.raises(RefusedError, match=r"permission denied: ec2:RegisterImage"):
        publish_it(cloud, disk)
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
def test_throttling_is_waited_out(cloud: Cloud, disk: DiskImage) -> None:
    calls = ("s3.UploadPart", "ec2.ImportSnapshot", "ec2.RegisterImage", "ebs.GetSnapshotBlock")
    failures = [refuse(cloud, call, "RequestLimitExceeded", times=3, status=503) for call in calls]
    assert publish_it(cloud, disk).bytes_uploaded == disk.size_bytes
    assert [len(of_one) for of_one in failures] == [3, 3, 3, 3]


@pytest.mark.extended
def test_ephemeral_removes_what_this_run_made(cloud: Cloud, disk: DiskImage) -> None:
    publish_it(cloud, disk, keep=Keep.NOTHING)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_ephemeral_leaves_what_an_earlier_run_was_told_to_keep(
    cloud: Cloud, disk: DiskImage
) -> None:
    kept = publish_it(cloud, disk)
    publish_it(cloud, disk, keep=Keep.NOTHING)
    left = everything(connect())
    assert left["images"] == [kept.ami_id]
    assert left["snapshots"] == [kept.snapshot_id]
