"""From the object in S3 to a snapshot: ImportSnapshot, its task, and how both may end.

An import task carries our tags, the snapshot it makes carries none until we set them: what
belongs to whom is found through the task. The client token follows from the digest and the run,
so that a repeated call finds the same task and another run makes one of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from nitro.cloud import snapshot, tags, wait
from nitro.cloud.disk import DiskImage
from nitro.cloud.errors import ignoring, missing
from nitro.cloud.session import Cloud
from nitro.cloud.storage import Bucket, image_key
from nitro.cloud.teardown import Entry, Lifetime, Undo
from nitro.errors import NitroError
from nitro.progress import Stage

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImportSnapshotTaskTypeDef

RUNNING = frozenset({"pending", "active"})
DEADLINE = 2 * 3600.0  # seconds; imports of more than an hour have been reported
STOPPING_DEADLINE = 300.0


class _Encryption(TypedDict, total=False):
    """Parameters of ImportSnapshot."""

    Encrypted: bool
    KmsKeyId: str


class Ended(NitroError):
    """An import task that ended without a snapshot."""


@dataclass(frozen=True)
class Task:
    """An import task as it is now. Fields are "" where EC2 says nothing."""

    id: str
    status: str
    message: str
    percent: float | None
    snapshot_id: str
    tags: tags.Tags

    @property
    def has_snapshot(self) -> bool:
        """Whether it is complete: EC2 may say so before it names the snapshot."""
        return self.status == "completed" and bool(self.snapshot_id)

    @property
    def running(self) -> bool:
        return self.status in RUNNING or (self.status == "completed" and not self.snapshot_id)


def tasks(cloud: Cloud, digest: str | None = None) -> list[Task]:
    """Our import tasks, of one disk or all. EC2 remembers them for some time after their end."""
    pages = cloud.ec2.get_paginator("describe_import_snapshot_tasks").paginate()
    found = (_task(raw) for page in pages for raw in page.get("ImportSnapshotTasks", []))
    return [
        task
        for task in found
        if tags.ours(task.tags) and digest in (None, task.tags.get(tags.DIGEST))
    ]


def find_task(cloud: Cloud, digest: str) -> Task | None:
    """Another run's task that is under way, or whose snapshot still waits to be used."""
    earlier = [task for task in tasks(cloud, digest) if tags.EPHEMERAL not in task.tags]
    for task in earlier:
        if task.running:
            return task
    for task in earlier:
        if task.has_snapshot and snapshot.exists(cloud, task.snapshot_id):
            return task
    return None


def start(
    cloud: Cloud,
    bucket: Bucket,
    disk: DiskImage,
    run: tags.Run,
    undo: Undo,
    kms_key: str | None = None,
) -> Entry:
    """Begin the import of the uploaded disk. The entry's id is the task's.

    `kms_key`, an ARN, encrypts the snapshot; without one the account's setting decides.

    Raises ApiRefused when the role `vmimport` is missing.
    """
    with undo.making(
        f"import of {disk.name}",
        Lifetime.IMAGE,
        find=lambda: [t.id for t in tasks(cloud, disk.digest) if t.tags.get(tags.RUN) == run.id],
        remove=lambda id_: remove_task(cloud, id_),
    ) as entry:
        entry.id = _import(cloud, bucket, disk, run, kms_key)
    return entry


def _import(
    cloud: Cloud, bucket: Bucket, disk: DiskImage, run: tags.Run, kms_key: str | None
) -> str:
    """Returns the id of the task."""
    encryption: _Encryption = {"Encrypted": True, "KmsKeyId": kms_key} if kms_key else {}
    answer = cloud.ec2.import_snapshot(
        ClientToken=f"nitro-{tags.short(disk.digest)}-{run.id}",
        Description=f"nitro {disk.name} {tags.short(disk.digest)}",
        DiskContainer={
            "Format": "RAW",
            "Description": disk.name,
            "UserBucket": {"S3Bucket": bucket.name, "S3Key": image_key(disk.digest, run.id)},
        },
        TagSpecifications=tags.as_specification(
            ["import-snapshot-task"], tags.image_tags(disk.name, disk.digest, run.tags)
        ),
        **encryption,
    )
    return answer["ImportTaskId"]


def wait_for_import(cloud: Cloud, task_id: str, stage: Stage, deadline: float = DEADLINE) -> str:
    """Wait for the task; returns the id of its snapshot.

    Raises Ended with EC2's own message when the task ends in any other way; `deleting`
    and `deleted` are how failed imports end.
    """

    def look() -> str | None:
        task = get(cloud, task_id)
        if task.has_snapshot:
            return task.snapshot_id
        if not task.running:
            raise Ended(
                f"the import {task.id} ended {task.status}: {task.message or 'no reason given'}",
                hint="`nitro doctor` checks the role and the bucket that VM Import uses",
            )
        if task.percent is not None:
            stage.progress(task.percent, 100, "%")
        return None

    what = f"import {task_id}"
    snapshot_id = wait.until(cloud, look, what=what, deadline=deadline, stage=stage, new=True)
    snapshot.wait_completed(cloud, snapshot_id, stage, deadline)
    return snapshot_id


def get(cloud: Cloud, task_id: str) -> Task:
    """Raises ApiError when there is no such task."""
    found = cloud.ec2.describe_import_snapshot_tasks(ImportTaskIds=[task_id])["ImportSnapshotTasks"]
    if not found:
        raise missing(f"import task {task_id}")
    return _task(found[0])


def remove_task(cloud: Cloud, task_id: str) -> None:
    """Cancel the task, and remove the snapshot if it was made nevertheless."""
    if get(cloud, task_id).running:
        with ignoring("absent", "IncorrectState"):  # it has ended meanwhile
            cloud.ec2.cancel_import_task(
                ImportTaskId=task_id, CancelReason="nitro takes back what it began"
            )

    def ended() -> Task | None:
        task = get(cloud, task_id)
        return None if task.running or task.status in {"cancelling", "deleting"} else task

    task = wait.until(
        cloud, ended, what=f"the end of {task_id}", deadline=STOPPING_DEADLINE, new=True
    )
    if task.snapshot_id:
        snapshot.remove(cloud, task.snapshot_id)


def _task(raw: ImportSnapshotTaskTypeDef) -> Task:
    detail = raw.get("SnapshotTaskDetail", {})
    return Task(
        id=raw["ImportTaskId"],
        status=detail.get("Status", ""),
        message=detail.get("StatusMessage", ""),
        percent=_percent(detail.get("Progress", "")),
        snapshot_id=detail.get("SnapshotId", ""),
        tags=tags.from_list(raw.get("Tags")),
    )


def _percent(text: str) -> float | None:
    """EC2 documents no form: `19` and `19%` have been seen."""
    found = re.match(r"\s*(\d+(?:\.\d+)?)", text)
    return float(found[1]) if found else None
