"""What an account may have at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro.local.aws import quotas
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


@pytest.mark.extended
def test_a_launch_gets_as_many_instances_as_it_takes(account: Account, image_id: str) -> None:
    assert launch(account, image_id, 1, 3) == 3


@pytest.mark.parametrize(("least", "most"), [(0, 1), (2, 1), (-1, -1)])
def test_a_launch_of_none_is_refused(
    account: Account, image_id: str, least: int, most: int
) -> None:
    assert error_code(lambda: launch(account, image_id, least, most)) == "InvalidParameterValue"


@pytest.mark.extended
def test_a_launch_gets_what_the_quota_leaves(account: Account, image_id: str) -> None:
    largest = VCPUS // 96
    assert launch(account, image_id, 1, 100, "c5.24xlarge") == largest
    assert error_code(lambda: launch(account, image_id, 1, 1)) == "VcpuLimitExceeded"
    assert launch(account, image_id, 1, 1, "g4dn.xlarge") == 1  # of another bucket
    (reservation, *_) = account.ec2.describe_instances()["Reservations"]
    account.ec2.terminate_instances(InstanceIds=[reservation["Instances"][0]["InstanceId"]])
    assert launch(account, image_id, 1, 1) == 1


def few(monkeypatch: pytest.MonkeyPatch, name: str, most: int) -> None:
    monkeypatch.setattr(quotas, name, replace(getattr(quotas, name), most=most))


def rules(count: int, first: int = 0) -> list[dict[str, Any]]:
    ports = range(first, first + count)
    every = [{"CidrIp": "10.0.0.0/8"}]
    return [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": every} for port in ports
    ]


@pytest.mark.extended
def test_a_group_has_so_many_rules_in_each_direction(account: Account) -> None:
    group = account.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    authorize = account.ec2.authorize_security_group_ingress
    authorize(GroupId=group, IpPermissions=rules(59))
    code = error_code(lambda: authorize(GroupId=group, IpPermissions=rules(2, 100)))
    assert code == "RulesPerSecurityGroupLimitExceeded"
    (found,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert len(found["IpPermissions"]) == 59, "nothing of the call is done"
    authorize(GroupId=group, IpPermissions=rules(1, 100))
    account.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rules(59))


@pytest.mark.extended
def test_there_are_so_many_networks(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default VPC with its subnets, and the default group of each VPC, count."""
    vpcs = [account.ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(4)]
    code = error_code(lambda: account.ec2.create_vpc(CidrBlock="10.9.0.0/16"))
    assert code == "VpcLimitExceeded"
    few(monkeypatch, "SUBNETS", 2)
    for number in range(2):
        account.ec2.create_subnet(VpcId=vpcs[0], CidrBlock=f"10.0.{number}.0/24")
    account.ec2.create_subnet(VpcId=vpcs[1], CidrBlock="10.1.0.0/24")
    code = error_code(lambda: account.ec2.create_subnet(VpcId=vpcs[0], CidrBlock="10.0.9.0/24"))
    assert code == "SubnetLimitExceeded"
    few(monkeypatch, "GROUPS", 6)
    account.ec2.create_security_group(GroupName="one", Description="d")
    code = error_code(lambda: account.ec2.create_security_group(GroupName="two", Description="d"))
    assert code == "SecurityGroupLimitExceeded"


@pytest.mark.extended
def test_an_interface_has_so_many_groups(
    account: Account, image_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [
        account.ec2.create_security_group(GroupName=f"g{n}", Description="d")["GroupId"]
        for n in range(6)
    ]
    too_many = "SecurityGroupsPerInterfaceLimitExceeded"
    assert error_code(lambda: account.run(image_id, SecurityGroupIds=groups)) == too_many
    interface = [{"DeviceIndex": 0, "Groups": groups}]
    assert error_code(lambda: account.run(image_id, NetworkInterfaces=interface)) == too_many
    account.run(image_id, SecurityGroupIds=groups[:5])
    few(monkeypatch, "INTERFACES", 1)
    assert error_code(lambda: account.run(image_id)) == "NetworkInterfaceLimitExceeded"


@pytest.mark.extended
def test_a_volume_has_so_many_pending_snapshots(account: Account) -> None:
    volume = account.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    for _ in range(5):
        account.ec2.create_snapshot(VolumeId=volume)
    code = error_code(lambda: account.ec2.create_snapshot(VolumeId=volume))
    assert code == "ConcurrentSnapshotLimitExceeded"
    account.clock.advance(account.site.pace.complete_snapshot)
    account.ec2.create_snapshot(VolumeId=volume)


@pytest.mark.extended
def test_a_region_has_so_many_images(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "IMAGES", 2)
    snapshot = account.snapshot()
    images = [account.image(snapshot, name=f"image {number}") for number in range(2)]
    code = error_code(lambda: account.image(snapshot, name="one more"))
    assert code == "ResourceLimitExceeded"
    copy = {"Name": "copy", "SourceImageId": images[0], "SourceRegion": account.region}
    assert error_code(lambda: account.ec2.copy_image(**copy)) == "ResourceLimitExceeded"
    account.ec2.deregister_image(ImageId=images[1])
    account.ec2.copy_image(**copy)


def test_an_account_has_so_many_buckets(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "BUCKETS", 1)
    account.s3.create_bucket(Bucket="first-bucket")
    code = error_code(lambda: account.s3.create_bucket(Bucket="second-bucket"))
    assert code == "TooManyBuckets"
