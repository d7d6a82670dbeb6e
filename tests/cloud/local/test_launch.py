"""Which image runs on which type."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code


@pytest.mark.parametrize(
    ("boot_mode", "type_name", "expected"),
    [
        (None, "c5.large", "legacy-bios"),
        ("legacy-bios", "c5.large", "legacy-bios"),
        ("uefi", "c5.large", "uefi"),
        ("uefi-preferred", "c5.large", "uefi"),
        ("uefi-preferred", "t2.micro", "legacy-bios"),
    ],
)
def test_boot_modes_meet(
    account: Account, boot_mode: str | None, type_name: str, expected: str
) -> None:
    options = {"BootMode": boot_mode} if boot_mode else {}
    image_id = account.image(account.snapshot(), **options)
    instance_id = account.run(image_id, InstanceType=type_name)["InstanceId"]
    assert account.hypervisor.guests[instance_id].guest.boot_mode == expected
    assert account.instance(instance_id)["CurrentInstanceBootMode"] == expected


@pytest.mark.parametrize(
    ("registered", "launched", "code"),
    [
        ({}, {"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({}, {"InstanceType": "c99.large"}, "InvalidParameterValue"),
        ({"EnaSupport": False}, {}, "InvalidParameterCombination"),
        ({"VirtualizationType": "paravirtual"}, {}, "InvalidParameterCombination"),
        ({"BootMode": "uefi"}, {"InstanceType": "t2.micro"}, "InvalidParameterValue"),
    ],
    ids=["architecture", "type", "ena", "virtualization", "boot mode"],
)
def test_unsuited_pairs_are_refused(
    account: Account, registered: dict[str, Any], launched: dict[str, Any], code: str
) -> None:
    image_id = account.image(account.snapshot(), **registered)
    assert error_code(lambda: account.run(image_id, **launched)) == code
    assert not account.hypervisor.guests
    assert not account.ec2.describe_instances()["Reservations"]


@pytest.mark.extended
def test_an_image_must_exist_and_be_available(account: Account) -> None:
    snapshot_id = account.snapshot()
    assert error_code(lambda: account.run("ami-0" + "1" * 16)) == "InvalidAMIID.NotFound"
    image_id = account.image(snapshot_id)
    account.clock.advance(-1)
    assert error_code(lambda: account.run(image_id)) == "InvalidAMIID.Unavailable"


@pytest.mark.extended
def test_a_launch_chooses_cores_and_threads(account: Account) -> None:
    image_id = account.image(account.snapshot())
    one = {"CoreCount": 1, "ThreadsPerCore": 1}
    instance_id = account.run(image_id, InstanceType="c5.large", CpuOptions=one)["InstanceId"]
    assert account.hypervisor.guests[instance_id].guest.vcpus == 1
    instance_id = account.run(image_id, InstanceType="c5.large")["InstanceId"]
    assert account.hypervisor.guests[instance_id].guest.vcpus == 2


@pytest.mark.parametrize("type_name", ["c5.xlarge", "t2.micro"])
def test_cores_that_a_type_does_not_have_are_refused(account: Account, type_name: str) -> None:
    image_id = account.image(account.snapshot())
    one = {"CoreCount": 1, "ThreadsPerCore": 1}
    launched = {"InstanceType": type_name, "CpuOptions": one}
    assert error_code(lambda: account.run(image_id, **launched)) == "InvalidParameterValue"


def test_what_a_launch_cannot_take_is_refused(account: Account) -> None:
    image_id = account.image(account.snapshot())
    for options, code in (
        ({"SecurityGroups": ["absent"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroupIds": ["sg-12345678"]}, "InvalidGroup.NotFound"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-1"]}]}, "InvalidGroup.NotFound"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue"),
    ):
        assert error_code(lambda options=options: account.run(image_id, **options)) == code  # type: ignore[misc]
    account.run(image_id, SecurityGroups=["default"], UserData="x" * 16384)
