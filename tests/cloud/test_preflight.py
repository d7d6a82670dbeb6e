"""What the account lacks is said before anything is built or uploaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud, DiskImage, find_instance_type, preflight
from nitro.errors import InputError, NitroError, RefusedError
from nitro.probe import Boot, Selection
from nitro.probe.tools.http import Http
from tests.cloud.conftest import NOTHING, connect, everything, make_bucket, refuse
from tests.cloud.joint import FakeBuilder, deploy, small_disk


def answer(cloud: Cloud, call: str, body: dict[str, Any]) -> None:
    """Answer `call` ("ec2.RunInstances") in place of moto."""
    answered = body | {"ResponseMetadata": {"HTTPStatusCode": 200}}
    events: Any = cloud.session.events
    events.register(
        f"before-call.{call}", lambda **_: (AWSResponse("", 200, HTTPHeaders(), None), answered)
    )


def quota(vcpus: float) -> Callable[[Cloud], None]:
    return lambda cloud: answer(
        cloud, "service-quotas.GetServiceQuota", {"Quota": {"Value": vcpus}}
    )


def no_offer(cloud: Cloud) -> None:
    answer(cloud, "ec2.DescribeInstanceTypeOfferings", {"InstanceTypeOfferings": []})


def no_default_vpc(cloud: Cloud) -> None:
    answer(cloud, "ec2.DescribeSubnets", {"Subnets": []})


def closed_subnets(cloud: Cloud) -> None:
    def close(parsed: dict[str, Any], **_: object) -> None:
        for subnet in parsed["Subnets"]:
            subnet["MapPublicIpOnLaunch"] = False

    cloud.session.events.register("after-call.ec2.DescribeSubnets", close)


def nothing(cloud: Cloud) -> None:
    """Leave the account as it is."""


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


HTTP = Selection(None, (Http(),))


@pytest.mark.parametrize(
    ("spoil", "options", "error", "says"),
    [
        (quota(3), {}, RefusedError, "2 × c5.large have 4 vCPUs, .* is 3"),
        (no_offer, {}, RefusedError, "in a zone that offers c5.large"),
        (no_default_vpc, {}, RefusedError, "no default VPC"),
        (nothing, {"subnet": "subnet-0123456789abcdef0"}, NitroError, "subnet-0123456789abcdef0"),
        (nothing, {"placement_group": "near"}, InputError, "there is no placement group near in"),
        (nothing, {"bucket": "shared"}, RefusedError, "there is no bucket shared"),
        (nothing, {"measure_from": "host", "allow": ()}, InputError, "--from host"),
        (closed_subnets, {"measure_from": "host"}, InputError, "have no public address"),
    ],
)
def test_it_is_refused_before_anything_is_prepared(
    cloud: Cloud,
    disk: DiskImage,
    spoil: Callable[[Cloud], None],
    options: dict[str, Any],
    error: type[NitroError],
    says: str,
) -> None:
    spoil(cloud)
    builder = FakeBuilder(disk)
    with pytest.raises(error, match=says):
        deploy(cloud, disk, builder=builder, selection=HTTP, **options)
    assert builder.prepared == []
    assert everything(connect()) == NOTHING


def test_a_given_subnet_must_be_in_a_zone_that_offers_the_type(cloud: Cloud) -> None:
    given = connect().ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    no_offer(cloud)
    c5 = find_instance_type(cloud, "c5.large")
    with pytest.raises(RefusedError, match=f"{given} is not in a zone that offers c5.large"):
        preflight.check(cloud, c5, instances=1, subnet_id=given)


def test_a_security_group_must_be_of_the_subnets_vpc(cloud: Cloud) -> None:
    ec2 = connect().ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    groups = ec2.describe_security_groups()["SecurityGroups"]
    other = next(group["GroupId"] for group in groups if group["VpcId"] == vpc)
    mine = next(group["GroupId"] for group in groups if group["VpcId"] != vpc)
    c5 = find_instance_type(cloud, "c5.large")
    assert preflight.check(cloud, c5, instances=1, security_groups=[mine]) == []
    with pytest.raises(InputError, match=f"security group {other} is of {vpc}, the subnet"):
        preflight.check(cloud, c5, instances=1, security_groups=[mine, other])
    with pytest.raises(NitroError, match="sg-0123456789abcdef0"):
        preflight.check(cloud, c5, instances=1, security_groups=["sg-0123456789abcdef0"])


@pytest.mark.extended
def test_what_is_enough_passes_without_a_word(cloud: Cloud) -> None:
    quota(4)(cloud)
    make_bucket(connect(), "shared")
    c5 = find_instance_type(cloud, "c5.large")
    assert preflight.check(cloud, c5, instances=2, bucket="shared", from_host=True) == []


@pytest.mark.extended
def test_other_families_have_other_quotas(cloud: Cloud) -> None:
    quota(0)(cloud)
    g4 = find_instance_type(cloud, "g4dn.xlarge")
    assert preflight.check(cloud, g4, instances=1) == []


@pytest.mark.extended
def test_the_spot_market_has_a_quota_of_its_own(cloud: Cloud) -> None:
    asked: list[str] = []
    cloud.session.events.register(
        "before-parameter-build.service-quotas.GetServiceQuota",
        lambda params, **_: asked.append(params["QuotaCode"]),
    )
    c5 = find_instance_type(cloud, "c5.large")
    for spot in (False, True):
        preflight.check(cloud, c5, instances=1, spot=spot)
    assert asked == ["L-1216C47A", "L-34B43A08"]


@pytest.mark.extended
def test_encryption_by_default_is_worth_a_note(cloud: Cloud) -> None:
    answer(cloud, "ec2.GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": True})
    c5 = find_instance_type(cloud, "c5.large")
    [note] = preflight.check(cloud, c5, instances=1)
    assert "encryption by default is on" in note


def test_a_deployment_does_without_what_it_may_not_ask(cloud: Cloud) -> None:
    for call, code in (
        ("service-quotas.GetServiceQuota", "AccessDeniedException"),
        ("ec2.GetEbsEncryptionByDefault", "UnauthorizedOperation"),
    ):
        refuse(cloud, call, code, status=403)
    c5 = find_instance_type(cloud, "c5.large")
    assert preflight.check(cloud, c5, instances=1) == []


def test_any_other_failure_is_one(cloud: Cloud) -> None:
    refuse(cloud, "ec2.GetEbsEncryptionByDefault", "AuthFailure")
    c5 = find_instance_type(cloud, "c5.large")
    with pytest.raises(NitroError):
        preflight.check(cloud, c5, instances=1)


@pytest.mark.extended
def test_a_security_group_of_the_users_own_may_be_the_way_in(cloud: Cloud, disk: DiskImage) -> None:
    groups = connect().ec2.describe_security_groups()["SecurityGroups"]
    own = next(group["GroupId"] for group in groups if group["GroupName"] == "default")
    options: dict[str, Any] = {"measure_from": "host", "allow": (), "security_groups": (own,)}
    assert deploy(cloud, disk, selection=HTTP, **options).ok


def test_a_note_is_said(cloud: Cloud, disk: DiskImage) -> None:
    """And the deployment goes on."""
    answer(cloud, "ec2.GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": True})
    assert deploy(cloud, disk, selection=Selection(Boot())).ok
