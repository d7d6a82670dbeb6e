"""From a disk on this machine to an AMI, doing only what has not been done before.

    name free? ─ AMI there? ─ verified snapshot there? ─ import under way? ─ upload, import
                                                                             read back, tag
                                                                             register

Each question is put to the API, by digest and tags; nothing is remembered on this machine.
"""

from __future__ import annotations

from nitro.cloud import ami, importer, limits, snapshot, storage, tags, verify
from nitro.cloud.disk import ROOT_DEVICE, DiskImage, Published, Volume
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.cloud.upload import upload_disk
from nitro.progress import Reporter


def publish(
    cloud: Cloud,
    disk: DiskImage,
    undo: Undo,
    *,
    bucket: str | None = None,
    report: Reporter | None = None,
) -> Published:
    """Make the disk an AMI of `cloud`'s region, or find the one that it is already.

    What this makes is pushed on `undo`. Raises InputError for a
    description or tags that EC2 refuses, RefusedError when the AMI's name is taken by
    another image, NitroError when an import fails or the snapshot read back is not the disk.
    """
    report = report or Reporter()
    limits.check_disk(disk)
    name = tags.ami_name(disk.name, disk.digest, disk.boot_mode)
    with report.stage("look for the image"):
        image = ami.find(cloud, disk)
        snapshot_id = None if image else snapshot.find(cloud, disk.digest)
    if image:
        with report.stage("wait for the AMI") as stage:
            ami.wait_available(cloud, image["ImageId"], stage)
        return Published(
            ami.snapshot_of(image), image["ImageId"], name, cloud.region, 0, reused=True
        )
    sent = 0
    if snapshot_id is None:
        snapshot_id, sent = _import(cloud, disk, undo, bucket, report)
    with report.stage("register AMI") as stage:
        ami_id = ami.register(cloud, disk, [Volume(ROOT_DEVICE, snapshot_id)], undo)
        ami.wait_available(cloud, ami_id, stage)
    return Published(snapshot_id, ami_id, name, cloud.region, sent, reused=False)


def _import(
    cloud: Cloud, disk: DiskImage, undo: Undo, bucket_name: str | None, report: Reporter
) -> tuple[str, int]:
    """Returns the id of a snapshot that is the disk, and the bytes uploaded for it."""
    tag_map = tags.image_tags(disk.name, disk.digest, disk.tags)
    unproven = {key: value for key, value in tag_map.items() if key != tags.DIGEST}
    task = importer.find_task(cloud, disk.digest)
    if task:
        sent = 0
        with report.stage("import snapshot") as stage:
            snapshot_id = importer.wait_for_import(cloud, task.id, stage)
        _remove_upload(cloud, disk, bucket_name)
    else:
        with report.stage("upload") as stage:
            bucket = storage.ensure_bucket(cloud, undo, bucket_name)
            upload = undo.push(
                f"s3://{bucket.name}/{storage.image_key(disk.digest)}",
                Lifetime.SCRATCH,
                remove=lambda key: storage.remove_image(cloud, bucket, key),
                id=storage.image_key(disk.digest),
            )
            sent = upload_disk(cloud, bucket, disk, stage)
        with report.stage("import snapshot") as stage:
            entry = importer.start(cloud, bucket, disk, undo)
            snapshot_id = importer.wait_for_import(cloud, str(entry.id), stage)
            undo.remove(upload)
    snapshot.tag_snapshot(cloud, snapshot_id, unproven)
    with report.stage("read back") as stage:
        try:
            verify.compare(cloud, snapshot_id, disk, stage)
        except verify.Mismatch:
            snapshot.remove(cloud, snapshot_id)
            raise
    snapshot.tag_snapshot(cloud, snapshot_id, tag_map)
    return snapshot_id, sent


def _remove_upload(cloud: Cloud, disk: DiskImage, bucket_name: str | None) -> None:
    """An import begun by a run that was killed is done: so is its upload."""
    bucket = storage.find_bucket(cloud, bucket_name)
    if bucket:
        storage.remove_image(cloud, bucket, storage.image_key(disk.digest))
