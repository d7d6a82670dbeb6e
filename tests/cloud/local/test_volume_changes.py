"""Volumes that change, and what is told of them."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from nitro.local.aws.snapshots import GIB
from nitro.local.aws.volume_changes import HOURS_BETWEEN

from .conftest import Account, error_code
from .test_volumes import described, root_of, volume


def modified(account: Account, volume_id: str) -> Any:
    (found,) = account.ec2.describe_volumes_modifications(VolumeIds=[volume_id])[
        "VolumesModifications"
    ]
    return found


def later(account: Account) -> None:
    account.clock.advance(HOURS_BETWEEN * 3600)


@pytest.mark.extended
def test_a_volume_of_an_instance_grows_with_its_file(account: Account) -> None:
    instance = account.run(account.image(account.snapshot()))
    root = root_of(account.instance(instance["InstanceId"]))
    begun = account.ec2.modify_volume(VolumeId=root, Size=3)["VolumeModification"]
    assert begun["ModificationState"] == "modifying"
    assert (begun["OriginalSize"], begun["TargetSize"]) == (1, 3)
    assert described(account, root)["Size"] == 3
    guest = account.hypervisor.guests[instance["InstanceId"]].guest
    assert guest.disks[0].size_bytes == 3 * GIB
    snapshot = account.ec2.create_snapshot(VolumeId=root)
    assert snapshot["VolumeSize"] == 3
    assert account.site.volumes.path(root).stat().st_size == 3 * GIB
    account.clock.advance(account.site.pace.modify_volume)
    done = modified(account, root)
    assert (done["ModificationState"], done["Progress"]) == ("completed", 100)


def test_a_file_that_is_there_grows(account: Account) -> None:
    made = volume(account, SnapshotId=account.snapshot())["VolumeId"]
    path = account.site.volumes.path(made)
    with path.open("rb") as file:
        before = file.read(4)
    account.ec2.modify_volume(VolumeId=made, Size=2)
    assert path.stat().st_size == 2 * GIB
    with path.open("rb") as file:
        assert file.read(4) == before


def test_changes_have_a_pace(account: Account) -> None:
    volume_id = volume(account, Size=8)["VolumeId"]
    change = account.ec2.modify_volume

    def code(**target: Any) -> str:
        return error_code(lambda: change(VolumeId=volume_id, **target))

    change(VolumeId=volume_id, VolumeType="gp3")
    assert code(Size=9) == "IncorrectModificationState"
    account.clock.advance(account.site.pace.modify_volume)
    assert code(Size=9) == "VolumeModificationRateExceeded"
    later(account)
    change(VolumeId=volume_id, Iops=4000, Throughput=250)
    found = described(account, volume_id)
    assert (found["VolumeType"], found["Iops"], found["Throughput"]) == ("gp3", 4000, 250)
    later(account)
    change(VolumeId=volume_id, Size=9)  # and what is not named stays
    assert described(account, volume_id)["Iops"] == 4000
    later(account)
    change(VolumeId=volume_id, VolumeType="gp2")
    assert described(account, volume_id)["Iops"] == 100
    assert modified(account, volume_id)["OriginalVolumeType"] == "gp3"


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({}, "InvalidParameterValue"),
        ({"Size": 1}, "InvalidParameterValue"),
        ({"Size": 20000}, "InvalidParameterValue"),
        ({"Iops": 3000}, "InvalidParameterCombination"),
        ({"Size": 0}, "InvalidParameterValue"),
        ({"VolumeType": "io1", "Size": 4}, "InvalidParameterValue"),  # of 3,000 IOPS
        ({"VolumeType": "gp3", "Iops": 1}, "InvalidParameterValue"),
        ({"VolumeType": "gp3", "Throughput": 2001}, "InvalidParameterValue"),
        (
            {"VolumeType": "io1", "Size": 4, "Iops": 100, "Throughput": 1},
            "InvalidParameterCombination",
        ),
        ({"MultiAttachEnabled": True}, "UnsupportedOperation"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(
    account: Account, target: dict[str, Any], code: str
) -> None:
    volume_id = volume(account, Size=2)["VolumeId"]
    before = described(account, volume_id)
    assert error_code(lambda: account.ec2.modify_volume(VolumeId=volume_id, **target)) == code
    assert described(account, volume_id) == before
    asked = account.ec2.describe_volumes_modifications
    assert asked()["VolumesModifications"] == []
    missing = error_code(lambda: asked(VolumeIds=[volume_id]))
    assert missing == "InvalidVolumeModification.NotFound"


def test_changes_are_found_by_filters(account: Account) -> None:
    ids = [volume(account)["VolumeId"] for _ in range(2)]
    for size, volume_id in enumerate(ids, 2):
        account.ec2.modify_volume(VolumeId=volume_id, Size=size)
    wanted = [{"Name": "target-size", "Values": ["3"]}]
    found = account.ec2.describe_volumes_modifications(Filters=wanted)["VolumesModifications"]
    assert [each["VolumeId"] for each in found] == ids[1:]


def test_attributes_of_a_volume(account: Account) -> None:
    volume_id = volume(account)["VolumeId"]
    ask = account.ec2.describe_volume_attribute
    assert ask(VolumeId=volume_id, Attribute="productCodes")["ProductCodes"] == []
    assert ask(VolumeId=volume_id, Attribute="autoEnableIO")["AutoEnableIO"] == {"Value": False}
    account.ec2.modify_volume_attribute(VolumeId=volume_id, AutoEnableIO={"Value": True})
    assert ask(VolumeId=volume_id, Attribute="autoEnableIO")["AutoEnableIO"] == {"Value": True}
    code = error_code(lambda: ask(VolumeId="vol-0123456789abcdef0", Attribute="productCodes"))
    assert code == "InvalidVolume.NotFound"


def test_a_volume_that_becomes_io2_has_the_usual_speed(account: Account) -> None:
    volume_id = volume(account, Size=4)["VolumeId"]
    account.ec2.modify_volume(VolumeId=volume_id, VolumeType="io2")
    assert described(account, volume_id)["Iops"] == 3000


@pytest.mark.extended
def test_a_volume_that_the_disk_does_not_take_stays_as_it_is(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume_id = volume(account, SnapshotId=account.snapshot(), VolumeType="gp3")["VolumeId"]

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(account.site.volumes, "grow", full)
    code = error_code(lambda: account.ec2.modify_volume(VolumeId=volume_id, Size=9))
    assert code == "InsufficientVolumeCapacity"
    assert described(account, volume_id)["Size"] == 1
    monkeypatch.setattr(account.site.volumes, "make", full)
    made = described(account, volume_id)["SnapshotId"]
    code = error_code(lambda: volume(account, SnapshotId=made))
    assert code == "InsufficientVolumeCapacity"
    assert len(account.ec2.describe_volumes()["Volumes"]) == 1
