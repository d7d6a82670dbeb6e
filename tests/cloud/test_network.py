"""Subnets and security groups."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import Cloud, Undo, network, tags
from nitro.errors import InputError, NitroError, RefusedError
from nitro.ports import Port
from tests.cloud.conftest import NOTHING, connect, everything, refuse

WEB, DNS = Port("tcp", 80), Port("udp", 53)


def make(cloud: Cloud, undo: Undo, ports, allow) -> str:
    return network.create_group(
        cloud,
        network.find_subnet(cloud),
        deployment="d-1",
        ports=ports,
        allow=allow,
        tag_map=tags.deployment_tags("nitro-d-1", "d-1", "network", None, {}),
        undo=undo,
    )


def rules(cloud: Cloud, group: str) -> list[Any]:
    (found,) = cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return list(found["IpPermissions"])


@pytest.mark.extended
def test_without_ranges_only_members_reach_each_other(cloud: Cloud) -> None:
    with Undo() as undo:
        group = make(cloud, undo, [WEB], [])
        (rule,) = rules(cloud, group)
    assert rule["IpProtocol"] == "-1"
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group]
    assert rule["IpRanges"] == []


def test_ranges_reach_the_recipes_ports_and_no_others(cloud: Cloud) -> None:
    with Undo() as undo:
        group = make(cloud, undo, [WEB, DNS, WEB], ["198.51.100.7/32", "2001:db8::/64"])
        found = {
            (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")): rule
            for rule in rules(cloud, group)
        }
    assert set(found) == {("-1", None, None), ("tcp", 80, 80), ("udp", 53, 53)}
    for port in (("tcp", 80, 80), ("udp", 53, 53)):
        assert [r["CidrIp"] for r in found[port]["IpRanges"]] == ["198.51.100.7/32"]
        assert [r["CidrIpv6"] for r in found[port]["Ipv6Ranges"]] == ["2001:db8::/64"]


@pytest.mark.parametrize(
    ("allow", "message"),
    [("198.51.100.7/24", "host bits"), ("home", "'home' is not a range")],
)
def test_bad_input_makes_nothing(cloud: Cloud, allow: str, message: str) -> None:
    with pytest.raises(InputError, match=message), Undo() as undo:
        make(cloud, undo, [WEB], [allow])
    assert everything(connect()) == NOTHING


def test_a_group_in_use_is_waited_for(cloud: Cloud) -> None:
    failures = refuse(cloud, "ec2.DeleteSecurityGroup", "DependencyViolation", times=3)
    with Undo() as undo:
        make(cloud, undo, [WEB], [])
        network.remove_group(cloud, network.find_groups(cloud, "d-1")[0])
    assert len(failures) == 3
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_failing_to_open_the_ports_takes_the_group_back(cloud: Cloud) -> None:
    refuse(cloud, "ec2.AuthorizeSecurityGroupIngress", "RulesPerSecurityGroupLimitExceeded")
    with pytest.raises(NitroError), Undo() as undo:
        make(cloud, undo, [WEB], [])
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_the_given_subnet_is_taken(cloud: Cloud) -> None:
    """Though it is not of the default VPC, and has the fewest addresses."""
    vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    own = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/28")["Subnet"]["SubnetId"]
    assert network.find_subnets(cloud, own)[0].vpc_id == vpc
    for subnet in cloud.ec2.describe_subnets()["Subnets"]:
        (found,) = network.find_subnets(cloud, subnet["SubnetId"])
        assert (found.id, found.vpc_id) == (subnet["SubnetId"], subnet["VpcId"])


@pytest.mark.extended
def test_without_one_the_default_vpcs_with_most_free_addresses_comes_first(cloud: Cloud) -> None:
    vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/16")
    defaults = [s for s in cloud.ec2.describe_subnets()["Subnets"] if s["DefaultForAz"]]
    roomiest = sorted(subnet["SubnetId"] for subnet in defaults)[0]

    def fill(parsed: dict[str, Any], **_: object) -> None:
        for subnet in parsed["Subnets"]:
            subnet["AvailableIpAddressCount"] = 9 if subnet["SubnetId"] == roomiest else 8

    picky = connect()
    picky.session.events.register("after-call.ec2.DescribeSubnets", fill)
    found = network.find_subnets(picky)
    assert found[0].id == roomiest
    assert {subnet.id for subnet in found} == {subnet["SubnetId"] for subnet in defaults}


def test_without_a_default_vpc_it_says_what_to_do(cloud: Cloud) -> None:
    for subnet in cloud.ec2.describe_subnets()["Subnets"]:
        cloud.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with pytest.raises(RefusedError) as caught:
        network.find_subnet(cloud)
    assert "--subnet" in str(caught.value.hint)


@pytest.mark.extended
def test_only_zones_that_offer_the_type_are_considered(cloud: Cloud) -> None:
    wanted = cloud.ec2.describe_subnets()["Subnets"][1]["AvailabilityZone"]

    def elsewhere(parsed, **_) -> None:
        parsed["InstanceTypeOfferings"] = [{"InstanceType": "c5.large", "Location": wanted}]

    picky = connect()
    picky.session.events.register("after-call.ec2.DescribeInstanceTypeOfferings", elsewhere)
    assert network.find_subnet(picky, type_name="c5.large").zone == wanted
    for subnet in cloud.ec2.describe_subnets()["Subnets"]:
        if subnet["AvailabilityZone"] == wanted:
            cloud.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with pytest.raises(RefusedError, match=r"in a zone that offers c5\.large") as caught:
        network.find_subnet(picky, type_name="c5.large")
    assert wanted in str(caught.value.hint)


def test_a_group_that_is_not_seen_yet_is_tried_again(cloud: Cloud) -> None:
    failures = refuse(cloud, "ec2.AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound", times=2)
    with Undo() as undo:
        group = make(cloud, undo, [WEB], [])
        assert len(rules(cloud, group)) == 1
    assert len(failures) == 2
