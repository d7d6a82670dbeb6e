"""Import tasks: tokens, cancelling, what belongs to whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Undo, importer, snapshot, storage, tags
from nitro.cloud.upload import upload_disk
from nitro.errors import NitroError
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter, Stage
from tests.cloud.conftest import RUN, connect, everything, recorded


@pytest.fixture
def bucket(cloud: Cloud, disk: DiskImage) -> storage.Bucket:
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(cloud, undo)
        upload_disk(cloud, bucket, disk, RUN, stage)
    return bucket


def start(cloud: Cloud, bucket: storage.Bucket, disk: DiskImage) -> str:
    with Undo() as undo:
        return str(importer.start(cloud, bucket, disk, RUN, undo).id)


@pytest.mark.extended
def test_the_token_follows_from_the_digest_and_the_run(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    calls = recorded(again := connect())
    start(again, bucket, disk)
    (made,) = (call for call in calls if call.operation == "ImportSnapshot")
    assert made.params["ClientToken"] == f"nitro-{disk.digest[7:19]}-{RUN.id}"
    (spec,) = made.params["TagSpecifications"]
    assert tags.from_list(spec["Tags"]) == tags.image_tags("bench", disk.digest, RUN.tags)


def test_two_at_once_share_a_task(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, site: Site
) -> None:
    site.pace = replace(Pace(), import_snapshot=60.0)
    first = start(cloud, bucket, disk)
    found = importer.find_task(cloud, disk.digest)
    assert found is not None
    assert found.id == first
    assert found.running


def test_a_running_task_is_cancelled_and_a_later_one_is_another(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, site: Site
) -> None:
    site.pace = replace(Pace(), import_snapshot=60.0)
    first = start(cloud, bucket, disk)
    importer.remove_task(cloud, first)
    assert importer.get(cloud, first).status == "cancelled"
    assert importer.find_task(cloud, disk.digest) is None
    later = tags.Run()
    with Undo() as undo, Reporter().stage("") as stage:
        upload_disk(cloud, bucket, disk, later, stage)
        assert importer.start(cloud, bucket, disk, later, undo).id != first


@pytest.mark.extended
def test_taking_back_a_finished_task_takes_its_snapshot(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    task = start(cloud, bucket, disk)
    with Reporter().stage("") as stage:
        snapshot_id = importer.wait_for_import(cloud, task, stage)
    assert everything(cloud)["snapshots"] == [snapshot_id]
    importer.remove_task(cloud, task)
    assert everything(cloud)["snapshots"] == []


@pytest.mark.extended
def test_progress_is_reported_until_the_deadline(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, site: Site
) -> None:
    site.pace = replace(Pace(), import_snapshot=60.0)
    task = start(cloud, bucket, disk)
    with pytest.raises(NitroError, match=f"import {task} took longer"), Reporter().stage("") as s:
        importer.wait_for_import(cloud, task, s, deadline=0.1)


@pytest.mark.extended
def test_tasks_of_others_are_not_ours(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    cloud.ec2.import_snapshot(
        DiskContainer={
            "Format": "RAW",
            "UserBucket": {
                "S3Bucket": bucket.name,
                "S3Key": storage.image_key(disk.digest, RUN.id),
            },
        }
    )
    assert importer.tasks(cloud) == []
    assert importer.find_task(cloud, disk.digest) is None


@pytest.mark.extended
def test_a_snapshot_counts_only_when_it_was_proven(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    with Reporter().stage("") as stage:
        snapshot_id = importer.wait_for_import(cloud, start(cloud, bucket, disk), stage)
    assert snapshot.find(cloud, disk.digest) is None
    snapshot.tag_snapshot(cloud, snapshot_id, tags.image_tags("bench", disk.digest))
    assert snapshot.find(cloud, disk.digest) == snapshot_id


class Heard(Stage):
    """What a stage was told of progress."""

    def __init__(self) -> None:
        self.progresses: list[tuple[float, float | None, str]] = []

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self.progresses.append((done, total, unit))


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("text", "percent"),
    [("19", [19]), ("19%", [19]), (" 19.5 %", [19.5]), ("0%", [0]), ("", []), ("soon", [])],
)
def test_progress_may_have_any_form(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, text: str, percent: list[float]
) -> None:
    observer, left = connect(), [True]

    def under_way(parsed: dict[str, Any], **_: object) -> None:
        if left:
            left.pop()
            for task in parsed["ImportSnapshotTasks"]:
                task["SnapshotTaskDetail"] = {"Status": "active", "Progress": text}

    observer.session.events.register("after-call.ec2.DescribeImportSnapshotTasks", under_way)
    task, stage = start(cloud, bucket, disk), Heard()
    assert importer.wait_for_import(observer, task, stage)
    assert not left
    assert [each for each in stage.progresses if each[2] == "%"] == [
        (each, 100, "%") for each in percent
    ]


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({"Status": "deleted", "StatusMessage": "no such bucket"}, "deleted: no such bucket"),
        ({"Status": "deleting"}, "deleting: no reason given"),
        ({}, "ended : no reason given"),
    ],
)
def test_a_task_that_ends_otherwise_says_why(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, detail: dict[str, str], told: str
) -> None:
    observer = connect()

    def ended(parsed: dict[str, Any], **_: object) -> None:
        for task in parsed["ImportSnapshotTasks"]:
            task["SnapshotTaskDetail"] = detail

    observer.session.events.register("after-call.ec2.DescribeImportSnapshotTasks", ended)
    task = start(cloud, bucket, disk)
    with pytest.raises(importer.Ended, match=told):
        importer.wait_for_import(observer, task, Stage())


@pytest.mark.extended
def test_a_task_under_way_is_found_before_one_that_is_done_and_none_of_a_passing_run(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage, site: Site
) -> None:
    done = start(cloud, bucket, disk)
    importer.wait_for_import(cloud, done, Stage())
    passing, later = tags.Run(ephemeral=True), tags.Run()
    site.pace = replace(Pace(), import_snapshot=60.0)
    for run in (passing, later):
        upload_disk(cloud, bucket, disk, run, Stage())
    with Undo() as undo:
        importer.start(cloud, bucket, disk, passing, undo)
        found = importer.find_task(cloud, disk.digest)
        assert found
        assert (found.id, found.has_snapshot) == (done, True)
        under_way = importer.start(cloud, bucket, disk, later, undo)
        found = importer.find_task(cloud, disk.digest)
        assert found
        assert (found.id, found.running) == (under_way.id, True)
        assert importer.find_task(cloud, f"sha256:{'0' * 64}") is None


def unnamed_at_first(times: int) -> Cloud:
    """A connection to which a completed task does not yet say its snapshot, `times` times."""
    observer, left = connect(), [True] * times

    def forget(parsed: dict[str, Any], **_: object) -> None:
        for task in parsed["ImportSnapshotTasks"]:
            if left and task["SnapshotTaskDetail"].get("Status") == "completed":
                left.pop()
                del task["SnapshotTaskDetail"]["SnapshotId"]

    observer.session.events.register("after-call.ec2.DescribeImportSnapshotTasks", forget)
    return observer


def test_a_task_is_complete_once_it_names_its_snapshot(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    task = start(cloud, bucket, disk)
    with Reporter().stage("") as stage:
        snapshot_id = importer.wait_for_import(unnamed_at_first(3), task, stage)
    assert everything(cloud)["snapshots"] == [snapshot_id]


@pytest.mark.extended
def test_a_snapshot_that_is_not_named_yet_is_found_and_removed_with_its_task(
    cloud: Cloud, bucket: storage.Bucket, disk: DiskImage
) -> None:
    task = start(cloud, bucket, disk)
    with Reporter().stage("") as stage:
        importer.wait_for_import(cloud, task, stage)
    found = importer.find_task(unnamed_at_first(1), disk.digest)
    assert found is not None
    assert found.id == task
    importer.remove_task(unnamed_at_first(3), task)
    assert everything(cloud)["snapshots"] == []
