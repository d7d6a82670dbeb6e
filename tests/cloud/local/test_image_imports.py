"""ImportImage and its tasks."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.local import ova
from tests.unit.local.test_ova import archive, description

from .conftest import BUCKET, Account, error_code

VMDK = b"KDMV" + (1).to_bytes(4, "little") + bytes(4) + (8).to_bytes(8, "little")
CONVERT = """
for target; do :; done
source=$(echo "$@" | grep -o '[^" ]*/source' | tail -n 1)
tail -c +21 "$source" > "$target"
"""


@pytest.fixture
def importing(account: Account) -> Account:
    """With a role, and a qemu-img that takes 20 bytes of header off."""
    account.site.qemu_img = ("sh", "-c", CONVERT, "sh")
    account.add_role()
    return account


def container(kind: str, key: str = "disk.raw", **more: str) -> dict[str, Any]:
    return {"Format": kind, "UserBucket": {"S3Bucket": BUCKET, "S3Key": key}, **more}


def task(account: Account, task_id: str) -> Any:
    (found,) = account.ec2.describe_import_image_tasks(ImportTaskIds=[task_id])["ImportImageTasks"]
    return found


def imported(account: Account, *containers: dict[str, Any], **options: Any) -> Any:
    begun = account.ec2.import_image(DiskContainers=list(containers), **options)
    assert begun["Status"] == "active"
    account.clock.advance(account.site.pace.import_snapshot)
    return task(account, begun["ImportTaskId"])


def first_bytes(account: Account, snapshot_id: str) -> bytes:
    return account.site.store.read(snapshot_id, 0).rstrip(b"\0")


@pytest.mark.extended
def test_an_ova_becomes_an_image_of_its_disks(importing: Account) -> None:
    account = importing
    ovf = description("b.vmdk", "a.vmdk")
    account.upload(archive(vm_ovf=ovf, a_vmdk=VMDK + b"data", b_vmdk=VMDK + b"root"))
    tags = [{"ResourceType": "import-image-task", "Tags": [{"Key": "a", "Value": "b"}]}]
    done = imported(account, container("ova"), BootMode="uefi", TagSpecifications=tags)
    assert (done["Status"], done["Tags"]) == ("completed", [{"Key": "a", "Value": "b"}])
    (image,) = account.ec2.describe_images(ImageIds=[done["ImageId"]])["Images"]
    assert (image["Name"], image["RootDeviceName"]) == (done["ImportTaskId"], "/dev/sda1")
    assert (image["BootMode"], image["Architecture"]) == ("uefi", "x86_64")
    disks = {
        each["DeviceName"]: first_bytes(account, each["Ebs"]["SnapshotId"])
        for each in image["BlockDeviceMappings"]
    }
    assert disks == {"/dev/sda1": b"root", "/dev/sdf": b"data"}
    told = [(each["Format"], each["Status"]) for each in done["SnapshotDetails"]]
    assert told == [("VMDK", "completed")] * 2
    account.clock.advance(account.site.pace.register_image)
    assert account.run(done["ImageId"])["ImageId"] == done["ImageId"]
    assert account.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"] == []


@pytest.mark.extended
def test_several_disks_are_one_image(importing: Account) -> None:
    account = importing
    account.upload(b"root")
    account.s3.put_object(Bucket=BUCKET, Key="data", Body=b"VHDX".ljust(20) + b"data")
    done = imported(
        account, container("raw"), container("VHDX", "data", DeviceName="/dev/sdb", Description="d")
    )
    names = [each["DeviceName"] for each in done["SnapshotDetails"]]
    assert (done["Status"], names) == ("completed", ["/dev/sda1", "/dev/sdb"])
    assert done["SnapshotDetails"][1]["Description"] == "d"


def test_a_bad_archive_leaves_nothing(importing: Account) -> None:
    account = importing
    ovf = description("a.vmdk", "b.vmdk")
    account.upload(archive(vm_ovf=ovf, a_vmdk=VMDK + b"root", b_vmdk=b"no disk"))
    done = imported(account, container("OVA"))
    assert done["Status"] == "deleted"
    assert "no VMDK with its content in one file" in done["StatusMessage"]
    account.s3.put_object(Bucket=BUCKET, Key="disk.raw", Body=b"no archive")
    done = imported(account, container("OVA"))
    assert done["StatusMessage"].startswith("ClientError: the OVA is no tar archive")
    assert account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    assert account.ec2.describe_images(Owners=["self"])["Images"] == []


@pytest.mark.extended
def test_a_task_can_be_cancelled(importing: Account) -> None:
    importing.upload(b"root")
    begun = importing.ec2.import_image(DiskContainers=[container("RAW")])
    importing.ec2.cancel_import_task(ImportTaskId=begun["ImportTaskId"])
    importing.clock.advance(importing.site.pace.import_snapshot)
    assert task(importing, begun["ImportTaskId"])["Status"] == "cancelled"


@pytest.mark.parametrize(
    ("containers", "options", "code"),
    [
        ([], {}, "MissingParameter"),
        ([container("QCOW2")], {}, "InvalidParameter"),
        ([{"Format": "RAW"}], {}, "InvalidParameter"),
        ([container("OVA"), container("RAW")], {}, "InvalidParameter"),
        ([container("RAW", DeviceName="/dev/sda1")] * 2, {}, "InvalidParameter"),
        ([container("RAW")], {"Architecture": "z80"}, "InvalidParameter"),
        ([container("RAW")], {"Platform": "Windows"}, "UnsupportedOperation"),
        ([container("RAW")], {"LicenseType": "AWS"}, "UnsupportedOperation"),
        ([container("RAW")], {"RoleName": "absent"}, "InvalidParameter"),
    ],
)
def test_what_is_refused_begins_nothing(
    importing: Account, containers: Any, options: dict[str, Any], code: str
) -> None:
    importing.upload(b"root")
    call = importing.ec2.import_image
    assert error_code(lambda: call(DiskContainers=containers, **options)) == code
    assert importing.ec2.describe_import_image_tasks()["ImportImageTasks"] == []


def test_an_ova_is_no_snapshot(importing: Account) -> None:
    importing.upload(b"root")
    call = importing.ec2.import_snapshot
    assert error_code(lambda: call(DiskContainer=container("OVA"))) == "InvalidParameter"
    unknown = error_code(lambda: task(importing, "import-ami-0"))
    assert unknown == "InvalidConversionTaskId.Malformed"


def test_a_failure_that_was_not_foreseen_ends_its_task_alone(
    importing: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: bytes) -> list[memoryview]:
        raise RecursionError

    monkeypatch.setattr(ova, "disks", fails)
    importing.upload(b"ova")
    done = imported(importing, container("OVA"))
    assert done["Status"] == "deleted"
    assert done["StatusMessage"] == "ServerError: the local Nitro failed: RecursionError"
    assert importing.ec2.describe_instances()["Reservations"] == []


def test_tasks_are_found_by_their_state_and_kind(importing: Account) -> None:
    importing.upload(b"root")
    done = imported(importing, container("RAW"))["ImportTaskId"]
    asked = importing.ec2.describe_import_image_tasks
    for state, ids in (("completed", [done]), ("active", [])):
        tasks = asked(Filters=[{"Name": "task-state", "Values": [state]}])["ImportImageTasks"]
        assert [each["ImportTaskId"] for each in tasks] == ids
    other = importing.ec2.describe_import_snapshot_tasks
    code = error_code(lambda: other(ImportTaskIds=[done]))
    assert code == "InvalidConversionTaskId.Malformed"
