"""From a disk on this machine to an AMI, doing only what has not been done before.

    name free? ─ AMI there? ─ verified snapshot there? ─ import under way? ─ upload, import,
                                                                             read back, tag
                                                                             ─ or write, tag
                                                                             register

Each question is put to the API, by digest and tags; nothing is remembered on this machine.

Runs may publish the same disk at once. Each uploads and imports under a token of its own, or
waits for the import of another that began earlier; the first to register the AMI wins, and the
others use its AMI. What another run made and then removed is made anew.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import TYPE_CHECKING

from nitro.cloud import ami, direct, importer, limits, snapshot, tags
from nitro.cloud.codes import DENIED
from nitro.cloud.disk import ROOT_DEVICE, DiskImage, Published, Volume
from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Keep, Undo
from nitro.cloud.via_s3 import import_disk, prove, remove_upload
from nitro.progress import Reporter

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImageTypeDef


class Via(enum.Enum):
    """How a disk becomes a snapshot."""

    S3 = "s3"  # uploaded to a bucket, and imported
    EBS = "ebs"  # written block by block through the EBS direct API
    AUTO = "auto"  # the latter, or the former where that is denied


def publish(
    cloud: Cloud,
    disk: DiskImage,
    undo: Undo,
    *,
    via: Via = Via.S3,
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
    run = tags.Run(ephemeral=undo.keep is Keep.NOTHING)
    try:
        found = _reuse(cloud, disk, run, undo, bucket, report)
    except (ApiError, importer.Ended) as error:
        if isinstance(error, ApiError) and not error.absent:
            raise
        report.note(f"what another run had made is gone, so it is made anew ({error.what})")
        found = None
    if found:
        return found
    if via is not Via.S3:
        before = len(undo.entries)
        try:
            return _write_and_register(cloud, disk, run, undo, report)
        except ApiError as error:
            if via is not Via.AUTO or error.code not in DENIED:
                raise
            report.note(f"the disk goes through S3: {error.what}")
        for entry in undo.entries[before:]:
            if not entry.done:
                undo.remove(entry)
    entry, sent = import_disk(cloud, disk, run, undo, bucket, report)
    snapshot_id = prove(cloud, disk, str(entry.id), report, run.tags)
    entry.proven = True
    published = _register(cloud, disk, snapshot_id, run, undo, report, sent)
    if published.snapshot_id != snapshot_id:  # another run was quicker
        undo.remove(entry)
    return published


def _reuse(
    cloud: Cloud,
    disk: DiskImage,
    run: tags.Run,
    undo: Undo,
    bucket: str | None,
    report: Reporter,
) -> Published | None:
    """Go on from what other runs have made of this disk; None when that is nothing.

    Raises ApiError or importer.Ended when such a thing went away in between.
    """
    with report.stage("look for the image"):
        image = ami.find(cloud, disk)
        snapshot_id = None if image else snapshot.find(cloud, disk.digest)
        task = None if image or snapshot_id else importer.find_task(cloud, disk.digest)
    if image:
        with report.stage("wait for the AMI") as stage:
            ami.wait_available(cloud, image["ImageId"], stage, new=False)
        return _published(cloud, image, 0, reused=True)
    if task:
        snapshot_id = prove(cloud, disk, task.id, report)
        remove_upload(cloud, disk, task, bucket)
    if snapshot_id:
        return _register(cloud, disk, snapshot_id, run, undo, report)
    return None


def _write_and_register(
    cloud: Cloud, disk: DiskImage, run: tags.Run, undo: Undo, report: Reporter
) -> Published:
    """By the EBS direct API, without S3."""
    with report.stage("write snapshot") as stage:
        written = direct.write_snapshot(cloud, disk, run, undo, stage)
    id_, sent = written.snapshot_id, written.bytes_sent
    entries = [entry for entry in undo.kept if entry.id == id_]
    for entry in entries:
        entry.proven = True
    published = _register(cloud, disk, id_, run, undo, report, sent)
    if published.snapshot_id != id_:  # another run was quicker
        for entry in entries:
            undo.remove(entry)
    return replace(published, via="ebs-direct")


def _register(
    cloud: Cloud,
    disk: DiskImage,
    snapshot_id: str,
    run: tags.Run,
    undo: Undo,
    report: Reporter,
    sent: int = 0,
) -> Published:
    """An AMI on the snapshot, or the one that another run has registered meanwhile."""
    with report.stage("register AMI") as stage:
        ami_id = ami.register(cloud, disk, [Volume(ROOT_DEVICE, snapshot_id)], run, undo)
        ami.wait_available(cloud, ami_id, stage)
        return _published(cloud, ami.describe(cloud, ami_id), sent, reused=False)


def _published(cloud: Cloud, image: ImageTypeDef, sent: int, *, reused: bool) -> Published:
    return Published(
        ami.snapshot_of(image), image["ImageId"], image["Name"], cloud.region, sent, reused=reused
    )
