"""The way into the bucket: checksums, to an object that no other run touches."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from nitro.cloud import Cloud, DiskImage, Undo, storage, tags
from nitro.cloud.upload import upload_disk
from nitro.progress import Reporter
from tests.cloud.conftest import RUN, connect, make_disk, recorded
from tests.cloud.speed import PART_SIZE


def upload(cloud: Cloud, disk: DiskImage) -> int:
    with Undo() as undo, Reporter().stage("upload") as stage:
        return upload_disk(cloud, storage.ensure_bucket(cloud, undo), disk, RUN, stage)


def stored(cloud: Cloud, disk: DiskImage) -> bytes:
    answer = cloud.s3.get_object(
        Bucket=storage.own_bucket_name(cloud), Key=storage.image_key(disk.digest, RUN.id)
    )
    return answer["Body"].read()


@pytest.mark.extended
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


@pytest.mark.extended
def test_the_object_is_ours_from_the_start(cloud: Cloud, disk: DiskImage) -> None:
    upload(cloud, disk)
    answer = cloud.s3.get_object_tagging(
        Bucket=storage.own_bucket_name(cloud), Key=storage.image_key(disk.digest, RUN.id)
    )
    assert tags.from_list(answer["TagSet"]) == tags.image_tags("bench", disk.digest, RUN.tags)


@pytest.mark.extended
def test_the_upload_of_another_run_is_left_alone(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    key = storage.image_key(disk.digest, "ffffffff")
    theirs = cloud.s3.create_multipart_upload(**bucket.address, Key=key)["UploadId"]
    assert upload(cloud, disk) == disk.size_bytes
    storage.remove_image(cloud, bucket, storage.image_key(disk.digest, RUN.id))
    assert storage.uploads(cloud, bucket, key) == [theirs]


@pytest.mark.extended
def test_another_disks_upload_is_left_alone(cloud: Cloud, disk: DiskImage, tmp_path: Path) -> None:
    other = make_disk(tmp_path / "other.raw", seed=2)
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    key = storage.image_key(other.digest, RUN.id)
    cloud.s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    upload(cloud, disk)
    storage.remove_image(cloud, bucket, storage.image_key(disk.digest, RUN.id))
    assert len(storage.uploads(cloud, bucket, key)) == 1


@pytest.mark.extended
def test_a_disk_of_too_many_parts_gets_larger_ones(
    cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.cloud.upload.PART_SIZE", 1_000_000)
    monkeypatch.setattr("nitro.cloud.upload.MOST_PARTS", 1)
    calls = recorded(again := connect())
    assert upload(again, disk) == disk.size_bytes
    (sent,) = (call for call in calls if call.operation == "UploadPart")
    assert sent.params["Body"] == f"<{disk.size_bytes} bytes>"
