"""ImportSnapshot and its tasks."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from .conftest import Account, error_code


@pytest.mark.extended
def test_a_task_passes_through_its_states(account: Account) -> None:
    account.add_role()
    account.upload(b"x" * 3_000_000)
    begun = account.begin_import(Description="of a test")
    task_id = begun["ImportTaskId"]
    assert begun["SnapshotTaskDetail"]["Status"] == "pending"
    assert begun["Description"] == "of a test"

    account.clock.advance(5)
    half = account.task(task_id)
    assert (half["Status"], half["Progress"], half["DiskImageSize"]) == ("active", "50", 3e6)
    assert "SnapshotId" not in half

    account.clock.advance(5)
    done = account.task(task_id)
    assert done["Status"] == "completed"
    (snapshot,) = account.ec2.describe_snapshots(SnapshotIds=[done["SnapshotId"]])["Snapshots"]
    assert (snapshot["State"], snapshot["VolumeSize"]) == ("completed", 1)
    assert snapshot["VolumeId"] == "vol-ffffffff"


@pytest.mark.extended
def test_what_was_uploaded_last_is_what_gets_imported(account: Account) -> None:
    account.add_role()
    account.upload(b"before")
    task_id = account.begin_import()["ImportTaskId"]
    account.s3.put_object(Bucket="disks", Key="disk.raw", Body=b"after")
    account.clock.advance(10)
    snapshot_id = account.task(task_id)["SnapshotId"]
    assert account.site.store.read(snapshot_id, 0).rstrip(b"\0") == b"after"


@pytest.mark.extended
def test_a_task_keeps_its_tags_and_is_found_by_them(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    tags = [{"Key": "nitro:owner", "Value": "nitro"}]
    specification = {"ResourceType": "import-snapshot-task", "Tags": tags}
    tagged = account.begin_import(TagSpecifications=[specification])
    account.begin_import()
    assert tagged["Tags"] == tags
    found = account.ec2.describe_import_snapshot_tasks(
        Filters=[{"Name": "tag:nitro:owner", "Values": ["nitro"]}]
    )["ImportSnapshotTasks"]
    assert [task["ImportTaskId"] for task in found] == [tagged["ImportTaskId"]]


def test_a_token_makes_an_import_idempotent(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    first = account.begin_import(ClientToken="once")
    assert account.begin_import(ClientToken="once")["ImportTaskId"] == first["ImportTaskId"]
    code = error_code(lambda: account.begin_import(ClientToken="once", Description="other"))
    assert code == "IdempotentParameterMismatch"


@pytest.mark.parametrize("missing", ["S3Bucket", "S3Key"])
def test_an_import_without_a_bucket_or_a_key_is_refused(account: Account, missing: str) -> None:
    account.add_role()
    account.upload(b"disk")
    place = {"S3Bucket": "disks", "S3Key": "disk.raw"}
    del place[missing]
    container = {"Format": "RAW", "UserBucket": place}
    code = error_code(lambda: account.ec2.import_snapshot(DiskContainer=container))
    assert code == "InvalidParameter"
    assert not account.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]


def test_without_the_role_nothing_begins(account: Account) -> None:
    account.upload(b"disk")
    assert error_code(account.begin_import) == "InvalidParameter"
    assert not account.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]


def test_a_role_that_may_not_read_the_bucket_ends_the_task(account: Account) -> None:
    account.add_role(resource="arn:aws:s3:::another/*")
    account.upload(b"disk")
    task_id = account.begin_import()["ImportTaskId"]
    account.clock.advance(10)
    task = account.task(task_id)
    assert task["Status"] == "deleted"
    assert "may not read" in task["StatusMessage"]


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [("other.raw", b"disk", "No object"), ("disk.raw", b"", "is empty")],
)
def test_a_task_for_a_bad_object_ends_deleted(
    account: Account, key: str, content: bytes, message: str
) -> None:
    account.add_role()
    account.upload(content)
    task_id = account.begin_import(key)["ImportTaskId"]
    account.clock.advance(10)
    task = account.task(task_id)
    assert task["Status"] == "deleted"
    assert message in task["StatusMessage"]
    assert not account.ec2.describe_snapshots()["Snapshots"]


def container(kind: str) -> dict[str, Any]:
    return {"Format": kind, "UserBucket": {"S3Bucket": "disks", "S3Key": "disk.raw"}}


@pytest.mark.extended
def test_a_disk_of_another_format_is_imported_as_a_raw_one(account: Account) -> None:
    account.site.qemu_img = ("sh", "-c", 'tail -c +4 "$6" > "$7"', "sh")
    account.add_role()
    account.upload(b"VHDcontent")
    task_id = account.ec2.import_snapshot(DiskContainer=container("vhd"))["ImportTaskId"]
    account.clock.advance(10)
    task = account.task(task_id)
    assert (task["Status"], task["Format"]) == ("completed", "VHD")
    assert account.site.store.read(task["SnapshotId"], 0).rstrip(b"\0") == b"content"


@pytest.mark.extended
def test_what_is_not_of_its_format_ends_deleted(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    task_id = account.ec2.import_snapshot(DiskContainer=container("VMDK"))["ImportTaskId"]
    account.clock.advance(10)
    assert account.task(task_id)["Status"] == "deleted"
    assert "VMDK" in account.task(task_id)["StatusMessage"]
    assert not list(account.site.store.folder.glob("tmp*"))
    code = error_code(lambda: account.ec2.import_snapshot(DiskContainer=container("QCOW2")))
    assert code == "InvalidParameter"


def test_a_task_can_be_cancelled_until_it_ends(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    task_id = account.begin_import()["ImportTaskId"]
    account.clock.advance(5)
    answer = account.ec2.cancel_import_task(ImportTaskId=task_id)
    assert (answer["PreviousState"], answer["State"]) == ("active", "cancelled")
    account.clock.advance(10)
    assert account.task(task_id)["Status"] == "cancelled"
    assert not account.ec2.describe_snapshots()["Snapshots"]
    again = error_code(lambda: account.ec2.cancel_import_task(ImportTaskId=task_id))
    assert again == "IncorrectState"


def test_an_unknown_task_is_an_error(account: Account) -> None:
    code = error_code(lambda: account.task("import-snap-0"))
    assert code == "InvalidConversionTaskId.Malformed"


def test_a_dry_run_begins_nothing(account: Account) -> None:
    account.add_role()
    assert error_code(lambda: account.begin_import(DryRun=True)) == "DryRunOperation"
    assert not account.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]


def test_an_import_onto_a_full_disk_ends_with_the_cause(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.add_role()
    account.upload(b"disk")
    task_id = account.begin_import()["ImportTaskId"]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(account.site.store, "create", full)
    account.clock.advance(account.site.pace.import_snapshot)
    task = account.task(task_id)
    assert task["Status"] == "deleted"
    assert "No space left on device" in task["StatusMessage"]
    assert account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
