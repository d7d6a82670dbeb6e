"""Volumes on their own, on instances, and as snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code

ZONE = "us-east-1a"


@pytest.fixture
def instance(account: Account) -> Any:
    """Running, in ZONE, of an image whose disk begins with "disk"."""
    image_id = account.image(account.snapshot())
    instance_id = account.run(image_id, Placement={"AvailabilityZone": ZONE})["InstanceId"]
    return account.instance(instance_id)


def volume(account: Account, **options: Any) -> Any:
    return account.ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 1, **options})


def described(account: Account, volume_id: str) -> Any:
    (found,) = account.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"]
    return found


def root_of(instance: Any) -> str:
    return str(instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])


def content(account: Account, snapshot_id: str) -> bytes:
    """The first block, by EBS direct."""
    listed = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
    if not listed:
        return b""
    block = account.ebs.get_snapshot_block(
        SnapshotId=snapshot_id, BlockIndex=0, BlockToken=listed[0]["BlockToken"]
    )
    return bytes(block["BlockData"].read()).rstrip(b"\0")


@pytest.mark.extended
def test_a_snapshot_has_what_the_guest_has_written(account: Account, instance: Any) -> None:
    root = root_of(instance)
    first = account.ec2.create_snapshot(VolumeId=root, Description="before")
    with account.site.volumes.path(root).open("r+b") as disk:
        disk.write(b"changed by the guest")
    second = account.ec2.create_snapshot(VolumeId=root)
    assert (first["State"], first["VolumeId"], first["Progress"]) == ("pending", root, "0%")
    assert (first["VolumeSize"], first["Description"]) == (1, "before")
    account.clock.advance(account.site.pace.complete_snapshot)
    (found,) = account.ec2.describe_snapshots(SnapshotIds=[first["SnapshotId"]])["Snapshots"]
    assert found["State"] == "completed"
    assert content(account, first["SnapshotId"]) == b"disk"
    assert content(account, second["SnapshotId"]) == b"changed by the guest"


def test_a_snapshot_outlives_its_volume_and_makes_another(account: Account) -> None:
    old = volume(account, Size=2)["VolumeId"]
    snapshot_id = account.ec2.create_snapshot(VolumeId=old)["SnapshotId"]
    account.clock.advance(account.site.pace.complete_snapshot)
    account.ec2.delete_volume(VolumeId=old)
    assert not account.site.volumes.path(old).exists()
    small = error_code(lambda: volume(account, Size=1, SnapshotId=snapshot_id))
    assert small == "InvalidParameterValue"
    new = volume(account, SnapshotId=snapshot_id, Size=3)
    account.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert account.site.volumes.path(new["VolumeId"]).stat().st_size == 3 << 30
    assert new["SnapshotId"] == snapshot_id


def test_snapshots_of_all_volumes_of_an_instance(account: Account, instance: Any) -> None:
    instance_id, root = instance["InstanceId"], root_of(instance)
    tags = [{"Key": "Name", "Value": "data"}, {"Key": "kept", "Value": "no"}]
    specification = [{"ResourceType": "volume", "Tags": tags}]
    data = volume(account, TagSpecifications=specification)["VolumeId"]
    account.ec2.attach_volume(VolumeId=data, InstanceId=instance_id, Device="/dev/sdf")
    made = account.ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance_id},
        CopyTagsFromSource="volume",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "kept", "Value": "yes"}]}],
    )["Snapshots"]
    assert {each["VolumeId"] for each in made} == {root, data}
    (of_data,) = [each for each in made if each["VolumeId"] == data]
    assert {tag["Key"]: tag["Value"] for tag in of_data["Tags"]} == {"Name": "data", "kept": "yes"}

    def chosen(**which: Any) -> set[str]:
        answer = account.ec2.create_snapshots(
            InstanceSpecification={"InstanceId": instance_id, **which}
        )
        return {each["VolumeId"] for each in answer["Snapshots"]}

    assert chosen(ExcludeBootVolume=True) == {data}
    assert chosen(ExcludeDataVolumeIds=[data]) == {root}
    assert error_code(lambda: chosen(ExcludeDataVolumeIds=["vol-12345678"])) == (
        "InvalidParameterValue"
    )


def test_a_volume_is_attached_and_let_go(account: Account, instance: Any) -> None:
    instance_id, data = instance["InstanceId"], volume(account)["VolumeId"]
    answer = account.ec2.attach_volume(VolumeId=data, InstanceId=instance_id, Device="/dev/sdf")
    assert answer["State"] == "attaching"
    (attachment,) = described(account, data)["Attachments"]
    assert (attachment["State"], attachment["Device"]) == ("attached", "/dev/sdf")
    assert attachment["DeleteOnTermination"] is False
    assert data in account.hypervisor.attached(instance_id)
    assert data in [disk.volume_id for disk in account.hypervisor.guests[instance_id].guest.disks]
    assert account.ec2.detach_volume(VolumeId=data)["State"] == "detaching"
    assert described(account, data)["State"] == "available"
    assert data not in account.hypervisor.attached(instance_id)


def test_a_guest_that_holds_on_is_waited_for(
    account: Account, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id, data = instance["InstanceId"], volume(account)["VolumeId"]
    account.ec2.attach_volume(VolumeId=data, InstanceId=instance_id, Device="/dev/sdf")
    with monkeypatch.context() as patch:
        patch.setattr(account.hypervisor, "detach", lambda *_: None)
        account.ec2.detach_volume(VolumeId=data)
    assert described(account, data)["Attachments"][0]["State"] == "detaching"
    assert error_code(lambda: account.ec2.delete_volume(VolumeId=data)) == "VolumeInUse"
    account.ec2.stop_instances(InstanceIds=[instance_id])
    assert described(account, data)["State"] == "available"


def test_what_cannot_be_attached_is_refused(account: Account, instance: Any) -> None:
    instance_id, root = instance["InstanceId"], root_of(instance)

    def refused(volume_id: str, device: str = "/dev/sdf", of: str = instance_id) -> str:
        return error_code(
            lambda: account.ec2.attach_volume(VolumeId=volume_id, InstanceId=of, Device=device)
        )

    free = volume(account)["VolumeId"]
    assert refused(root) == "VolumeInUse"
    assert refused(volume(account, AvailabilityZone="us-east-1b")["VolumeId"]) == (
        "InvalidVolume.ZoneMismatch"
    )
    assert refused(free, "/dev/xvda") == "InvalidParameterValue"
    assert refused(free, "sdf") == "InvalidParameterValue"
    assert refused("vol-12345678") == "InvalidVolume.NotFound"
    account.hypervisor.fails = "no place for it"
    assert refused(free) == "AttachmentLimitExceeded"
    account.hypervisor.fails = None
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    assert refused(free) == "IncorrectState"
    assert described(account, free)["State"] == "available"


def test_what_cannot_be_detached_is_refused(account: Account, instance: Any) -> None:
    root, free = root_of(instance), volume(account)["VolumeId"]
    detach = account.ec2.detach_volume
    assert error_code(lambda: detach(VolumeId=free)) == "IncorrectState"
    assert error_code(lambda: detach(VolumeId=root)) == "OperationNotPermitted"
    assert error_code(lambda: detach(VolumeId=root, Device="/dev/sdf")) == (
        "InvalidAttachment.NotFound"
    )


def test_the_root_of_a_stopped_instance_can_be_replaced(account: Account, instance: Any) -> None:
    instance_id, root = instance["InstanceId"], root_of(instance)
    account.ec2.stop_instances(InstanceIds=[instance_id])
    account.ec2.detach_volume(VolumeId=root)
    start = account.ec2.start_instances
    assert error_code(lambda: start(InstanceIds=[instance_id])) == "InvalidParameterValue"
    other = volume(account)["VolumeId"]
    account.ec2.attach_volume(VolumeId=other, InstanceId=instance_id, Device="/dev/xvda")
    start(InstanceIds=[instance_id])
    (disk,) = account.hypervisor.guests[instance_id].guest.disks
    assert (disk.volume_id, disk.snapshot_id) == (other, None)


def test_volumes_end_with_their_instance_as_they_are_told(account: Account) -> None:
    image_id = account.image(account.snapshot())
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 1}},
    ]
    instance_id = account.run(image_id, BlockDeviceMappings=mappings)["InstanceId"]
    ids = {
        mapping["DeviceName"]: mapping["Ebs"]["VolumeId"]
        for mapping in account.instance(instance_id)["BlockDeviceMappings"]
    }
    account.ec2.modify_instance_attribute(
        InstanceId=instance_id,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdg", "Ebs": {"DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdh", "Ebs": {"DeleteOnTermination": False}},
        ],
    )
    absent = [{"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": True}}]
    assert (
        error_code(
            lambda: account.ec2.modify_instance_attribute(
                InstanceId=instance_id, BlockDeviceMappings=absent
            )
        )
        == "InvalidInstanceAttributeValue"
    )
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    account.ec2.describe_instances()
    left = {each["VolumeId"]: each["State"] for each in account.ec2.describe_volumes()["Volumes"]}
    assert left == {ids["/dev/xvda"]: "available", ids["/dev/sdh"]: "available"}


def test_volumes_are_as_fast_and_as_encrypted_as_they_are_told(account: Account) -> None:
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    image_id = account.image(account.snapshot())
    fast = {"VolumeSize": 200, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250}
    mappings = [
        {"DeviceName": "/dev/sdf", "Ebs": {**fast, "Encrypted": True, "KmsKeyId": key}},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 200, "VolumeType": "gp3"}},
        {"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 200}},
    ]
    account.run(image_id, BlockDeviceMappings=mappings)
    found = {
        each["Attachments"][0]["Device"]: each for each in account.ec2.describe_volumes()["Volumes"]
    }
    told = {
        device: (each.get("Iops"), each.get("Throughput"), each["Encrypted"], each.get("KmsKeyId"))
        for device, each in found.items()
    }
    assert told == {
        "/dev/xvda": (100, None, False, None),
        "/dev/sdf": (4000, 250, True, key),
        "/dev/sdg": (3000, 125, False, None),
        "/dev/sdh": (600, None, False, None),
    }
    encrypted = account.ec2.create_snapshot(VolumeId=found["/dev/sdf"]["VolumeId"])
    assert encrypted["Encrypted"] is True
    account.clock.advance(account.site.pace.complete_snapshot)
    copy = volume(account, Size=200, SnapshotId=encrypted["SnapshotId"])
    assert (copy["Encrypted"], copy["KmsKeyId"]) == (True, key)
    unknown = key[:-4] + "0000"
    assert error_code(lambda: volume(account, Encrypted=True, KmsKeyId=unknown)) == (
        "InvalidKmsKey.NotFound"
    )


def test_a_volume_whose_content_is_lost_gives_a_snapshot_in_error(
    account: Account, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(account.site.store, "take", full)
    snapshot_id = account.ec2.create_snapshot(VolumeId=root_of(instance))["SnapshotId"]
    account.clock.advance(account.site.pace.complete_snapshot)
    (found,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert found["State"] == "error"
    assert "No space left" in found["StateMessage"]
    account.ec2.delete_snapshot(SnapshotId=snapshot_id)


@pytest.mark.extended
def test_a_snapshot_of_a_volume_outlives_the_process(account: Account, instance: Any) -> None:
    made = account.ec2.create_snapshot(VolumeId=root_of(instance))
    account.clock.advance(account.site.pace.complete_snapshot)
    account.ec2.describe_snapshots()
    from nitro.local.aws import install

    after = account.restarted()
    with install(after):
        (found,) = account.ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"]
    assert (found["VolumeId"], found["State"]) == (root_of(instance), "completed")


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"AvailabilityZone": "us-east-1z"}, "InvalidZone.NotFound"),
        ({"Size": 0}, "InvalidParameterValue"),
        ({"Size": 16385}, "InvalidParameterValue"),
        ({"Size": 1, "VolumeType": "st1"}, "InvalidParameterValue"),
    ],
)
def test_a_volume_that_ebs_does_not_have_is_refused(
    account: Account, options: dict[str, Any], code: str
) -> None:
    assert error_code(lambda: volume(account, **options)) == code
    assert account.ec2.describe_volumes()["Volumes"] == []
