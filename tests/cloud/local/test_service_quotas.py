"""Service Quotas tells what is enforced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nitro.local.aws import quotas
from nitro.local.aws.service_quotas import SERVICES

from .conftest import Account, error_code

STANDARD, SPOT_STANDARD = "L-1216C47A", "L-34B43A08"


def client(account: Account) -> Any:
    return getattr(account, "service-quotas")


def told(account: Account, service: str, code: str) -> Any:
    return client(account).get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]


def vpc(account: Account, number: int) -> None:
    account.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")


def address(account: Account, number: int) -> None:
    account.ec2.allocate_address(Domain="vpc")


def rule(account: Account, number: int) -> None:
    (group,) = account.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    account.ec2.authorize_security_group_egress(
        GroupId=group["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": number,
                "ToPort": number,
                "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
            }
        ],
    )


def public_image(account: Account, number: int) -> None:
    account.ec2.disable_image_block_public_access()
    known = account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    snapshot = known[0]["SnapshotId"] if known else account.snapshot()
    image = account.image(snapshot, name=f"image {number}")
    everybody = {"Add": [{"Group": "all"}]}
    for _ in range(2):  # which counts it once
        account.ec2.modify_image_attribute(ImageId=image, LaunchPermission=everybody)


def group_of_interface(account: Account, number: int) -> None:
    names = [f"g{number}-{n}" for n in range(number)]
    groups = [
        account.ec2.create_security_group(GroupName=name, Description="d")["GroupId"]
        for name in names
    ]
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    account.ec2.create_network_interface(SubnetId=subnet, Groups=groups)


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("service", "code", "present", "add", "refused"),
    [
        ("vpc", "L-F678F1CE", 1, vpc, "VpcLimitExceeded"),
        ("ec2", "L-0263D0A3", 0, address, "AddressLimitExceeded"),
        ("ec2", "L-0E3CBAB9", 0, public_image, "ResourceLimitExceeded"),
        ("vpc", "L-0EA8095F", 1, rule, "RulesPerSecurityGroupLimitExceeded"),
        ("vpc", "L-2AFB9258", 0, group_of_interface, "SecurityGroupsPerInterfaceLimitExceeded"),
    ],
)
def test_one_more_than_is_told_is_refused(
    account: Account,
    service: str,
    code: str,
    present: int,
    add: Callable[[Account, int], None],
    refused: str,
) -> None:
    most = int(told(account, service, code)["Value"])
    for number in range(present + 1, most + 1):
        add(account, number)
    assert error_code(lambda: add(account, most + 1)) == refused


@pytest.mark.extended
@pytest.mark.parametrize(
    ("options", "code", "refused"),
    [
        ({}, STANDARD, "VcpuLimitExceeded"),
        (
            {"InstanceMarketOptions": {"MarketType": "spot"}},
            SPOT_STANDARD,
            "MaxSpotInstanceCountExceeded",
        ),
    ],
)
def test_as_many_vcpus_run_as_are_told_in_each_market(
    account: Account, options: dict[str, Any], code: str, refused: str
) -> None:
    image = account.image(account.snapshot())

    def launch(count: int) -> Any:
        return account.ec2.run_instances(
            ImageId=image, InstanceType="c5.24xlarge", MinCount=count, MaxCount=count, **options
        )

    most = int(told(account, "ec2", code)["Value"]) // 96
    assert error_code(lambda: launch(most + 1)) == refused
    launch(most)
    assert error_code(lambda: launch(1)) == refused
    options = {} if options else {"InstanceMarketOptions": {"MarketType": "spot"}}
    launch(1)  # of the other market


def test_what_was_stopped_counts_again_when_it_starts(account: Account) -> None:
    image = account.image(account.snapshot())
    first = account.run(image, InstanceType="c5.24xlarge")["InstanceId"]
    account.ec2.stop_instances(InstanceIds=[first])
    account.hypervisor.stop(first)
    account.ec2.describe_instances()
    most = int(told(account, "ec2", STANDARD)["Value"]) // 96
    account.ec2.run_instances(
        ImageId=image, InstanceType="c5.24xlarge", MinCount=most, MaxCount=most
    )
    start = account.ec2.start_instances
    assert error_code(lambda: start(InstanceIds=[first])) == "VcpuLimitExceeded"


def test_every_quota_with_an_id_is_told_once(account: Account) -> None:
    pages = client(account).get_paginator("list_service_quotas")
    found = [
        quota
        for service in SERVICES
        for page in pages.paginate(ServiceCode=service, PaginationConfig={"PageSize": 4})
        for quota in page["Quotas"]
    ]
    expected = {each.id: float(each.most) for each in quotas.QUOTAS if each.id}
    assert {each["QuotaCode"]: each["Value"] for each in found} == expected
    assert len(found) == len(expected) > 25
    assert all(told(account, one["ServiceCode"], one["QuotaCode"]) == one for one in found)
    listed = client(account).list_services()["Services"]
    assert {each["ServiceCode"] for each in listed} == {each["ServiceCode"] for each in found}


def test_lists_are_narrowed(account: Account) -> None:
    listed = client(account).list_service_quotas
    (one,) = listed(ServiceCode="ec2", QuotaCode=STANDARD)["Quotas"]
    assert one["QuotaName"] == "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
    assert listed(ServiceCode="ec2", QuotaAppliedAtLevel="RESOURCE")["Quotas"] == []
    assert len(listed(ServiceCode="ec2", QuotaAppliedAtLevel="ALL")["Quotas"]) > 10


def test_an_account_has_other_vcpus_than_aws_gives_a_new_one(account: Account) -> None:
    default = client(account).get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=STANDARD)
    assert default["Quota"]["Value"] == 5
    assert default["Quota"]["QuotaArn"] == f"arn:aws:servicequotas:us-east-1::ec2/{STANDARD}"
    listed = client(account).list_aws_default_service_quotas(ServiceCode="s3")["Quotas"]
    assert [(each["Value"], each["GlobalQuota"]) for each in listed] == [(10_000, True)]


def test_what_there_is_not_is_named(account: Account) -> None:
    ask = client(account).get_service_quota
    code = error_code(lambda: ask(ServiceCode="ec2", QuotaCode="L-00000000"))
    assert code == "NoSuchResourceException"
    code = error_code(lambda: ask(ServiceCode="lambda", QuotaCode=STANDARD))
    assert code == "NoSuchResourceException"
    listed = client(account).list_service_quotas
    code = error_code(lambda: listed(ServiceCode="ec2", NextToken="x"))
    assert code == "InvalidPaginationTokenException"


def test_the_attributes_of_an_account_agree(account: Account) -> None:
    listed = account.ec2.describe_account_attributes()["AccountAttributes"]
    found = {each["AttributeName"]: each["AttributeValues"][0]["AttributeValue"] for each in listed}
    (default,) = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])[
        "Vpcs"
    ]
    assert found["default-vpc"] == default["VpcId"]
    assert found["supported-platforms"] == "VPC"
    assert float(found["max-elastic-ips"]) == told(account, "ec2", "L-0263D0A3")["Value"]
    (one,) = account.ec2.describe_account_attributes(AttributeNames=["default-vpc"])[
        "AccountAttributes"
    ]
    assert one["AttributeName"] == "default-vpc"
