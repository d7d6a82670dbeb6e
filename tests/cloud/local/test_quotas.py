"""What an account may have at a time."""

from __future__ import annotations

import pytest

from nitro.local.aws.quotas import VCPUS

from .conftest import Account, error_code


@pytest.fixture
def image_id(account: Account) -> str:
    return account.image(account.snapshot())


def launch(account: Account, image_id: str, least: int, most: int, kind: str = "c5.large") -> int:
    answer = account.ec2.run_instances(
        ImageId=image_id, InstanceType=kind, MinCount=least, MaxCount=most
    )
    indices = [each["AmiLaunchIndex"] for each in answer["Instances"]]
    assert indices == list(range(len(indices)))
    return len(indices)


def test_a_launch_gets_as_many_instances_as_it_takes(account: Account, image_id: str) -> None:
    assert launch(account, image_id, 1, 3) == 3


@pytest.mark.parametrize(("least", "most"), [(0, 1), (2, 1), (-1, -1)])
def test_a_launch_of_none_is_refused(
    account: Account, image_id: str, least: int, most: int
) -> None:
    assert error_code(lambda: launch(account, image_id, least, most)) == "InvalidParameterValue"


def test_a_launch_gets_what_the_quota_leaves(account: Account, image_id: str) -> None:
    largest = VCPUS // 96
    assert launch(account, image_id, 1, 100, "c5.24xlarge") == largest
    assert error_code(lambda: launch(account, image_id, 1, 1)) == "VcpuLimitExceeded"
    assert launch(account, image_id, 1, 1, "g4dn.xlarge") == 1  # of another bucket
    (reservation, *_) = account.ec2.describe_instances()["Reservations"]
    account.ec2.terminate_instances(InstanceIds=[reservation["Instances"][0]["InstanceId"]])
    assert launch(account, image_id, 1, 1) == 1
