"""Rules of security groups that change in place."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.rules import ports

from .conftest import Account, error_code

TCP = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def rules(account: Account, group: str) -> dict[str, Any]:
    """The incoming ones, "4" and "6" by their ranges."""
    wanted = [{"Name": "group-id", "Values": [group]}]
    found = account.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
    return {"4" if "CidrIpv4" in each else "6": each for each in found if not each["IsEgress"]}


@pytest.fixture
def group(account: Account) -> str:
    made = account.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    both = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": [{"CidrIpv6": "fd00::/8"}]}
    account.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[{**TCP, **both}])
    return str(made)


def change(account: Account, group: str, **targets: dict[str, Any]) -> None:
    """`v4` and `v6`: what the rules are to be."""
    held = rules(account, group)
    account.ec2.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": held[name[1]]["SecurityGroupRuleId"],
                "SecurityGroupRule": target,
            }
            for name, target in targets.items()
        ],
    )


def test_ranges_of_both_kinds_and_all_protocols(account: Account, group: str) -> None:
    web = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 54}
    change(
        account,
        group,
        v4={"IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0", "Description": "all"},
        v6={**web, "CidrIpv6": "::/0"},
    )
    held = rules(account, group)
    assert (held["4"]["IpProtocol"], held["4"]["CidrIpv4"]) == ("-1", "0.0.0.0/0")
    assert held["4"]["Description"] == "all"
    assert web.items() <= held["6"].items()
    assert held["6"]["CidrIpv6"] == "::/0"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({}, "MissingParameter"),
        (TCP, "MissingParameter"),
        ({**TCP, "CidrIpv4": "0.0.0.0/0", "CidrIpv6": "::/0"}, "MissingParameter"),
        ({**TCP, "CidrIpv6": "::/0"}, "InvalidParameterValue"),
        ({**TCP, "CidrIpv4": "10.0.0.300/8"}, "InvalidParameterValue"),
        ({"CidrIpv4": "0.0.0.0/0"}, "InvalidParameterValue"),
        ({"CidrIpv4": "0.0.0.0/0", "IpProtocol": "tcp"}, "InvalidParameterValue"),
        ({**TCP, "FromPort": 23, "CidrIpv4": "0.0.0.0/0"}, "InvalidParameterValue"),
        ({**TCP, "ReferencedGroupId": "sg-1"}, "UnsupportedOperation"),
        ({**TCP, "CidrIpv4": "0.0.0.0/0", "IpProtocol": "bogus"}, "InvalidParameterValue"),
        ({**TCP, "CidrIpv4": "0.0.0.0/0", "Description": "x" * 256}, "InvalidParameterValue"),
        ({**TCP, "CidrIpv4": "0.0.0.0/0", "Description": "\xfc"}, "InvalidParameterValue"),
    ],
)
def test_one_that_cannot_be_changed_leaves_all_as_they_were(
    account: Account, group: str, target: dict[str, Any], code: str
) -> None:
    before = rules(account, group)
    good = {**TCP, "CidrIpv6": "::/0"}
    assert error_code(lambda: change(account, group, v6=good, v4=target)) == code
    assert rules(account, group) == before


def test_a_rule_or_a_group_that_does_not_exist(account: Account, group: str) -> None:
    call = account.ec2.modify_security_group_rules
    target = {**TCP, "CidrIpv4": "0.0.0.0/0"}
    named = [{"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": target}]
    for id_, code in (
        (group, "InvalidSecurityGroupRuleId.NotFound"),
        ("sg-1", "InvalidGroup.NotFound"),
    ):
        got = error_code(lambda id_=id_: call(GroupId=id_, SecurityGroupRules=named))  # type: ignore[misc]
        assert got == code


def test_two_rules_are_never_the_same(account: Account, group: str) -> None:
    more = {**TCP, "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    account.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[more])
    wanted = [{"Name": "group-id", "Values": [group]}]
    found = account.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
    (web,) = [each["SecurityGroupRuleId"] for each in found if each["FromPort"] == 80]
    target = {**TCP, "IpProtocol": "TCP", "CidrIpv4": "10.0.0.0/8"}
    changes = [{"SecurityGroupRuleId": web, "SecurityGroupRule": target}]
    change_to = account.ec2.modify_security_group_rules
    code = error_code(lambda: change_to(GroupId=group, SecurityGroupRules=changes))
    assert code == "InvalidPermission.Duplicate"
    target["CidrIpv4"] = "10.1.0.0/16"
    change_to(GroupId=group, SecurityGroupRules=changes)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (("6", 1, 2), ("tcp", 1, 2)),
        (("UDP", 1, 2), ("udp", 1, 2)),
        (("-1", 1, 2), ("-1", None, None)),
        (("all", None, None), ("-1", None, None)),
        (("icmp", 8, -1), ("icmp", 8, -1)),
        (("icmpv6", None, None), ("icmpv6", -1, -1)),
        (("50", None, None), ("50", -1, -1)),
        (("tcp", None, None), None),
        (("tcp", 2, 1), None),
        (("udp", 0, 65536), None),
        (("icmp", None, None), None),
        (("icmp", 256, 0), None),
        (("256", None, None), None),
        (("bogus", 1, 2), None),
        ((None, 1, 2), None),
    ],
)
def test_what_protocols_and_ports_a_rule_has(
    account: Account, given: tuple[Any, ...], kept: tuple[Any, ...] | None
) -> None:
    if kept is not None:
        assert ports(*given) == kept
        return
    with pytest.raises(EC2ClientError):
        ports(*given)
    if given[0]:  # which boto3 asks for itself
        names = ("IpProtocol", "FromPort", "ToPort")
        wanted = {key: one for key, one in zip(names, given, strict=True) if one is not None}
        named = account.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
        rule = [{**wanted, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
        for authorize in (
            account.ec2.authorize_security_group_ingress,
            account.ec2.authorize_security_group_egress,
        ):
            code = error_code(lambda call=authorize: call(GroupId=named, IpPermissions=rule))  # type: ignore[misc]
            assert code == "InvalidParameterValue"


def test_protocols_without_ports_are_authorized(account: Account) -> None:
    named = account.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    rule = {"IpProtocol": "50", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    account.ec2.authorize_security_group_ingress(GroupId=named, IpPermissions=[rule])
    assert rules(account, named)["4"]["IpProtocol"] == "50"


def test_a_description_is_checked_wherever_it_is_given(account: Account, group: str) -> None:
    bad = [{**TCP, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "x" * 256}]}]
    for call in (
        account.ec2.authorize_security_group_ingress,
        account.ec2.update_security_group_rule_descriptions_ingress,
        account.ec2.update_security_group_rule_descriptions_egress,
    ):
        code = error_code(lambda call=call: call(GroupId=group, IpPermissions=bad))  # type: ignore[misc]
        assert code == "InvalidParameterValue"


def test_a_group_outside_the_default_network_is_not_deleted_by_its_name(account: Account) -> None:
    ec2 = account.ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    there = ec2.create_security_group(GroupName="there", Description="d", VpcId=vpc)["GroupId"]
    here = ec2.create_security_group(GroupName="here", Description="d")["GroupId"]
    code = error_code(lambda: ec2.delete_security_group(GroupName="there"))
    assert code == "InvalidGroup.NotFound"
    ec2.delete_security_group(GroupName="here", GroupId=there)
    (left,) = ec2.describe_security_groups(GroupIds=[here])["SecurityGroups"]
    assert left["GroupName"] == "here"
    ec2.delete_security_group(GroupName="here")
    assert (
        error_code(lambda: ec2.describe_security_groups(GroupIds=[here])) == "InvalidGroup.NotFound"
    )


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("call", ["authorize_{}", "revoke_{}", "update_rule_descriptions_{}"])
@pytest.mark.parametrize(
    "permission", [{"IpProtocol": "a"}, {"IpProtocol": "tcp"}, {"IpProtocol": "tcp", "FromPort": 1}]
)
def test_rules_that_cannot_be_are_refused_by_each_call(
    account: Account, group: str, direction: str, call: str, permission: dict[str, Any]
) -> None:
    verb, _, rest = call.format(direction).partition("_")
    name = f"{verb}_security_group_{rest}"
    ranges = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    send = getattr(account.ec2, name)
    forms: list[dict[str, Any]] = [{"IpPermissions": [{**permission, **ranges}]}]
    if verb != "update":
        forms.append({**permission, "CidrIp": "10.0.0.0/8"})
    for form in forms:
        assert error_code(partial(send, GroupId=group, **form)) == "InvalidParameterValue"
    assert rules(account, group)["4"]["IpProtocol"] == "tcp"
