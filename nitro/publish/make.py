"""Snapshots and AMIs of a release, each made once however often a run is killed and repeated.

    imported snapshot   ImportSnapshot's token, which its task carries as a tag
    written snapshot    StartSnapshot's token
    registered AMI      its name, which a region has once: RegisterImage has no token
    copied AMI          CopyImage's token, which CopySnapshot does not have: it is not called

A token stays with what it made, even when that has failed or been removed: then the next one of
the series is used.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypedDict, TypeVar

from nitro.cloud import Cloud, Undo, ami, direct, importer, snapshot, tags, via_s3, wait
from nitro.cloud.codes import Kind
from nitro.cloud.disk import ROOT_DEVICE, Volume
from nitro.cloud.errors import ApiError
from nitro.cloud.visibility import VISIBLE_AFTER
from nitro.progress import Reporter
from nitro.publish.observe import find_ami
from nitro.publish.release import Release

_T = TypeVar("_T")

COPY_DEADLINE = 4 * 3600.0  # seconds until a copied AMI is available
_USED_OTHERWISE = "IdempotentParameterMismatch"
_GONE = "InvalidAMIID.Unavailable"


class _Encryption(TypedDict, total=False):
    """Parameters of CopyImage."""

    Encrypted: bool
    KmsKeyId: str


def patiently(cloud: Cloud, make: Callable[[], _T], what: str) -> _T:
    """Call `make` again while AWS says that something else has to end first, such as copies.

    Raises DeadlinePassed after four hours of that.
    """

    def attempt() -> _T | None:
        try:
            return make()
        except ApiError as error:
            if error.kind is not Kind.WAIT or error.absent:
                raise
            return None

    return wait.until(cloud, attempt, what=what, deadline=COPY_DEADLINE)


def import_snapshot(
    cloud: Cloud, release: Release, key: str | None, bucket: str | None, report: Reporter
) -> str:
    """The id of a snapshot that equals the disk; goes on with the import of an earlier run."""
    run, task = _import_run(cloud, release, key)
    if task:
        task_id = task.id
    else:
        undo = Undo(sleep=cloud.sleep)
        entry, _ = via_s3.import_disk(cloud, release.disk, run, undo, bucket, report, key)
        task_id = str(entry.id)
    snapshot_id = via_s3.prove(cloud, release.disk, task_id, report, run.tags)
    if task:
        via_s3.remove_upload(cloud, release.disk, task, bucket)
    return snapshot_id


def _import_run(
    cloud: Cloud, release: Release, key: str | None
) -> tuple[tags.Run, importer.Task | None]:
    """The first run whose import has not come to nothing, and its task if it has begun."""
    begun = {task.tags.get(tags.RUN): task for task in importer.tasks(cloud, release.digest)}
    for attempt in itertools.count():
        run = tags.Run(release.token("import", cloud.region, key or "", str(attempt))[:16])
        task = begun.get(run.id)
        if task is None or task.running:
            return run, task
        if task.has_snapshot and snapshot.exists(cloud, task.snapshot_id):
            return run, task
    raise AssertionError("endless")


def write_snapshot(cloud: Cloud, release: Release, key: str | None, report: Reporter) -> str:
    """The id of a snapshot that EBS has checked block by block; goes on with an earlier run's."""
    run = tags.Run(release.token("write", cloud.region)[:16])
    with report.stage("write the snapshot") as stage:
        written = direct.write_snapshot(
            cloud, release.disk, run, Undo(sleep=cloud.sleep), stage, kms_key_arn=key
        )
    return written.snapshot_id


def register(cloud: Cloud, release: Release, snapshot_id: str) -> str:
    """The id of the release's AMI, registered now or by an attempt whose answer was lost."""

    def attempt() -> str | None:
        try:
            volumes = [Volume(ROOT_DEVICE, snapshot_id)]
            disk, tag_map = release.disk, release.unfinished_tags
            return ami.request(cloud, release.name, disk, volumes, tag_map)
        except ApiError as error:
            if error.code != ami.NAME_TAKEN and not error.may_have_happened:
                raise
        found = find_ami(cloud, release.name)
        return found.id if found and found.tags.get(tags.DIGEST) == release.digest else None

    return wait.until(cloud, attempt, what=f"AMI {release.name}", deadline=VISIBLE_AFTER)


def copy(cloud: Cloud, release: Release, source_region: str, source: str, key: str | None) -> str:
    """The id of a copy of an AMI of `source_region`, not available yet."""
    for attempt in itertools.count():
        token = release.token("copy", cloud.region, source, key or "", str(attempt))
        try:
            image_id = _copy_image(cloud, release, source_region, source, key, token)
        except ApiError as error:
            if error.code != _USED_OTHERWISE:
                raise
            image_id = _visible(cloud, lambda: find_ami(cloud, release.name), release.name).id
        if not _came_to_nothing(cloud, image_id):
            return image_id
    raise AssertionError("endless")


def _copy_image(
    cloud: Cloud, release: Release, source_region: str, source: str, key: str | None, token: str
) -> str:
    of_image = tags.as_specification(["image"], release.unfinished_tags)
    of_snapshot = tags.as_specification(["snapshot"], release.unproven_tags)
    encryption: _Encryption = {"Encrypted": True, "KmsKeyId": key} if key else {}
    return cloud.ec2.copy_image(
        ClientToken=token,
        Name=release.name,
        Description=release.disk.description or f"{release.series}, made by nitro",
        SourceImageId=source,
        SourceRegion=source_region,
        TagSpecifications=[*of_image, *of_snapshot],
        **encryption,
    )["ImageId"]


def _came_to_nothing(cloud: Cloud, image_id: str) -> bool:
    """Whether a token answered with an AMI that has failed or been deregistered since.

    One that was deregistered may be named as such, or be missing: when it still is after the time
    that a new one may take to appear, it is none.
    """

    def state() -> str | None:
        try:
            return ami.describe(cloud, image_id)["State"]
        except ApiError as error:
            if error.code != _GONE:
                raise
            return "deregistered"

    try:
        return _visible(cloud, state, image_id) not in ("available", "pending")
    except ApiError as error:
        if not error.absent:
            raise
        return True


def _visible(cloud: Cloud, look: Callable[[], _T | None], what: str) -> _T:
    return wait.until(cloud, look, what=what, deadline=VISIBLE_AFTER, new=True)
