"""The way into the bucket: checksums, and resuming what was cut off."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from nitro.cloud import ApiError, Cloud, DiskImage, Undo, storage, tags
from nitro.cloud.upload import upload_disk
from nitro.progress import Reporter
from tests.cloud.conftest import connect, make_disk, recorded, refuse
from tests.cloud.speed import PART_SIZE


def upload(cloud: Cloud, disk: DiskImage) -> int:
    with Undo() as undo, Reporter().stage("upload") as stage:
        return upload_disk(cloud, storage.ensure_bucket(cloud, undo), disk, stage)


def stored(cloud: Cloud, disk: DiskImage) -> bytes:
    answer = cloud.s3.get_object(
        Bucket=storage.own_bucket_name(cloud), Key=storage.image_key(disk.digest)
    )
    return answer["Body"].read()


def test_every_part_carries_its_sha256(cloud: Cloud, disk: DiskImage) -> None:
    calls = recorded(cloud)
    assert upload(cloud, disk) == disk.size_bytes
    assert stored(cloud, disk) == disk.path.read_bytes()
    content = disk.path.read_bytes()
    parts = [content[at : at + PART_SIZE] for at in range(0, len(content), PART_SIZE)]
    wanted = {base64.b64encode(hashlib.sha256(part).digest()).decode() for part in parts}
    sent = {c.params["ChecksumSHA256"] for c in calls if c.operation == "UploadPart"}
    assert sent == wanted
    (end,) = (c for c in calls if c.operation == "CompleteMultipartUpload")
    assert {p["ChecksumSHA256"] for p in end.params["MultipartUpload"]["Parts"]} == wanted


def test_the_object_is_ours_from_the_start(cloud: Cloud, disk: DiskImage) -> None:
    upload(cloud, disk)
    answer = cloud.s3.get_object_tagging(
        Bucket=storage.own_bucket_name(cloud), Key=storage.image_key(disk.digest)
    )
    assert tags.from_list(answer["TagSet"]) == tags.image_tags("bench", disk.digest)


def test_what_is_there_is_not_sent_again(cloud: Cloud, disk: DiskImage) -> None:
    upload(cloud, disk)
    again = connect()
    calls = recorded(again)
    assert upload(again, disk) == 0
    assert [call for call in calls if call.changes] == []


def test_something_else_under_the_key_is_replaced(cloud: Cloud, disk: DiskImage) -> None:
    upload(cloud, disk)
    cloud.s3.put_object(
        Bucket=storage.own_bucket_name(cloud),
        Key=storage.image_key(disk.digest),
        Body=b"x" * disk.size_bytes,
    )
    assert upload(connect(), disk) == disk.size_bytes
    assert stored(cloud, disk) == disk.path.read_bytes()


def test_a_killed_upload_is_resumed(cloud: Cloud, disk: DiskImage) -> None:
    refuse(cloud, "s3.CompleteMultipartUpload", "AccessDenied")
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(cloud, undo)
        with pytest.raises(ApiError):
            upload_disk(cloud, bucket, disk, stage)
    (left,) = storage.uploads(cloud, bucket, storage.image_key(disk.digest))
    cloud.s3.upload_part(  # and one of its parts is not what it should be
        **bucket.address,
        Key=storage.image_key(disk.digest),
        UploadId=left,
        PartNumber=2,
        Body=b"damaged",
    )
    assert upload(connect(), disk) == PART_SIZE
    assert stored(cloud, disk) == disk.path.read_bytes()
    assert storage.uploads(cloud, bucket, storage.image_key(disk.digest)) == []


def test_another_disks_upload_is_left_alone(cloud: Cloud, disk: DiskImage, tmp_path: Path) -> None:
    other = make_disk(tmp_path / "other.raw", seed=2)
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    key = storage.image_key(other.digest)
    cloud.s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    upload(cloud, disk)
    storage.remove_image(cloud, bucket, storage.image_key(disk.digest))
    assert len(storage.uploads(cloud, bucket, key)) == 1


def test_a_disk_of_too_many_parts_gets_larger_ones(
    cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.cloud.upload.PART_SIZE", 1_000_000)
    monkeypatch.setattr("nitro.cloud.upload.MOST_PARTS", 1)
    calls = recorded(again := connect())
    assert upload(again, disk) == disk.size_bytes
    (sent,) = (call for call in calls if call.operation == "UploadPart")
    assert sent.params["Body"] == f"<{disk.size_bytes} bytes>"
