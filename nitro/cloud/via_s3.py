"""From a disk to a snapshot by way of S3: uploaded, imported, read back."""

from __future__ import annotations

from nitro.cloud import importer, snapshot, storage, tags, verify
from nitro.cloud.disk import DiskImage
from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Entry, Lifetime, Undo
from nitro.cloud.upload import upload_disk
from nitro.progress import Reporter


def import_disk(
    cloud: Cloud,
    disk: DiskImage,
    run: tags.Run,
    undo: Undo,
    bucket_name: str | None,
    report: Reporter,
    kms_key: str | None = None,
) -> tuple[Entry, int]:
    """Returns the entry of a finished import task, and the bytes uploaded for it."""
    try:
        bucket, upload, sent = _upload(cloud, disk, run, undo, bucket_name, report)
    except ApiError as error:
        if error.code != "NoSuchBucket" or bucket_name:
            raise
        # The run that had made it took it away, empty, between our finding it and using it.
        bucket, upload, sent = _upload(cloud, disk, run, undo, bucket_name, report)
    with report.stage("import snapshot") as stage:
        entry = importer.start(cloud, bucket, disk, run, undo, kms_key)
        importer.wait_for_import(cloud, str(entry.id), stage)
        undo.remove(upload)
    return entry, sent


def _upload(
    cloud: Cloud,
    disk: DiskImage,
    run: tags.Run,
    undo: Undo,
    bucket_name: str | None,
    report: Reporter,
) -> tuple[storage.Bucket, Entry, int]:
    """Returns the bucket, the entry of the object in it, and the bytes sent."""
    key = storage.image_key(disk.digest, run.id)
    with report.stage("upload") as stage:
        bucket = storage.ensure_bucket(cloud, undo, bucket_name)
        upload = undo.push(
            f"s3://{bucket.name}/{key}",
            Lifetime.SCRATCH,
            remove=lambda key: storage.remove_image(cloud, bucket, key),
            id=key,
        )
        return bucket, upload, upload_disk(cloud, bucket, disk, run, stage)


def prove(
    cloud: Cloud, disk: DiskImage, task_id: str, report: Reporter, extra: tags.Tags | None = None
) -> str:
    """Returns the id of the task's snapshot once it has been found equal to the disk."""
    tag_map = tags.image_tags(disk.name, disk.digest, disk.tags) | (extra or {})
    unproven = {key: value for key, value in tag_map.items() if key != tags.DIGEST}
    with report.stage("import snapshot") as stage:
        snapshot_id = importer.wait_for_import(cloud, task_id, stage)
    snapshot.tag_snapshot(cloud, snapshot_id, unproven)
    with report.stage("read back") as stage:
        try:
            verify.compare(cloud, snapshot_id, disk, stage)
        except verify.Mismatch:
            snapshot.remove(cloud, snapshot_id)
            raise
    snapshot.tag_snapshot(cloud, snapshot_id, tag_map)
    return snapshot_id


def remove_upload(
    cloud: Cloud, disk: DiskImage, task: importer.Task, bucket_name: str | None
) -> None:
    """An import begun by a run that was killed is done: so is its upload."""
    bucket = storage.find_bucket(cloud, bucket_name)
    if bucket and tags.RUN in task.tags:
        storage.remove_image(cloud, bucket, storage.image_key(disk.digest, task.tags[tags.RUN]))
