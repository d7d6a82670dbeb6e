"""What is answered of networks, addresses, interfaces and security groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NO_GROUP = "sg-0123456789abcdef0"
NO_SUBNET = "subnet-0123456789abcdef0"
NO_NIC = "eni-0123456789abcdef0"


def test_networks(tour: Tour) -> None:
    tour("ec2.describe_vpcs")
    tour("ec2.describe_subnets", Filters=filters(("availability-zone", "us-east-1a")))
    tour("ec2.create_vpc")
    vpc = tour(
        "ec2.create_vpc", CidrBlock="10.9.0.0/24", TagSpecifications=tagged("vpc", Name="mine")
    )["Vpc"]["VpcId"]
    of_it = {"VpcId": vpc}
    tour("ec2.describe_vpcs", VpcIds=[vpc])
    tour.each(
        "ec2.create_subnet",
        {},
        {"CidrBlock": "10.8.0.0/24"},
        {"CidrBlock": "10.9.0.0/24", "AvailabilityZone": "us-east-1z"},
        {"CidrBlock": "10.9.0.0/28", "VpcId": "vpc-0123456789abcdef0"},
        **of_it,
    )
    subnet = tour(
        "ec2.create_subnet", CidrBlock="10.9.0.0/28", AvailabilityZone="us-east-1b",
        TagSpecifications=tagged("subnet", Name="small"), **of_it,
    )["Subnet"]["SubnetId"]  # fmt: skip
    tour("ec2.create_subnet", CidrBlock="10.9.0.0/28", **of_it)
    tour("ec2.modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    tour("ec2.describe_subnets", SubnetIds=[subnet])
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        tour("ec2.describe_vpc_attribute", Attribute=name, **of_it)
    for _ in range(3):
        tour.account.ec2.create_vpc(CidrBlock="10.7.0.0/24")
    tour("ec2.create_vpc", CidrBlock="10.7.0.0/24")
    in_it = filters(("vpc-id", vpc))
    for kind in ("route_tables", "network_acls", "security_groups"):
        tour(f"ec2.describe_{kind}", Filters=in_it)
    tour("ec2.describe_dhcp_options")
    tour("ec2.describe_internet_gateways")
    tour("ec2.describe_managed_prefix_lists")
    tour("ec2.describe_stale_security_groups", **of_it)
    tour("ec2.describe_stale_security_groups", VpcId="vpc-0123456789abcdef0")
    tour("ec2.delete_vpc", **of_it)
    tour("ec2.delete_subnet", SubnetId=subnet)
    tour("ec2.delete_subnet", SubnetId=subnet)
    tour("ec2.delete_vpc", **of_it)
    tour("ec2.describe_dhcp_options")
    compare(HERE / "networks.txt", tour.text)


def test_interfaces(tour: Tour) -> None:
    account = tour.account
    vpc = account.ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    subnet = account.ec2.create_subnet(
        CidrBlock="10.9.0.0/28", VpcId=vpc, AvailabilityZone="us-east-1a"
    )["Subnet"]["SubnetId"]
    web = account.ec2.create_security_group(GroupName="w", Description="w", VpcId=vpc)["GroupId"]
    far = account.ec2.create_security_group(GroupName="f", Description="f")["GroupId"]
    made = tour(
        "ec2.create_network_interface", SubnetId=subnet, Description="mine", Groups=[web],
        PrivateIpAddress="10.9.0.7", TagSpecifications=tagged("network-interface", Name="nic"),
    )["NetworkInterface"]["NetworkInterfaceId"]  # fmt: skip
    tour.each(
        "ec2.create_network_interface",
        {"PrivateIpAddress": "10.9.0.7"},
        {"PrivateIpAddress": "10.9.0.3"},
        {"PrivateIpAddress": "10.9.0.15"},
        {"PrivateIpAddress": "10.9.0.16"},
        {"PrivateIpAddress": "10.9.0"},
        {"PrivateIpAddress": "10.9.0.8", "DryRun": True},
        {"Groups": [NO_GROUP]},
        {"Groups": [web] * 6},
        {"SubnetId": NO_SUBNET},
        {"PrivateIpAddress": "10.9.0.4"},
        {},
        SubnetId=subnet,
    )
    of_it = {"NetworkInterfaceId": made}
    modify = "ec2.modify_network_interface_attribute"
    tour("ec2.describe_network_interfaces", NetworkInterfaceIds=[made])
    tour.each(
        modify,
        {},
        {"Groups": [far]},
        {"Groups": [NO_GROUP]},
        {"Description": {"Value": "changed"}},
        {"SourceDestCheck": {"Value": False}},
        {"NetworkInterfaceId": NO_NIC, "Description": {"Value": "x"}},
        {"Groups": [account.ec2.describe_security_groups(Filters=filters(("vpc-id", vpc),
            ("group-name", "default")))["SecurityGroups"][0]["GroupId"]]},
        **of_it,
    )  # fmt: skip
    tour("ec2.describe_network_interfaces", NetworkInterfaceIds=[made])
    for name in ("description", "groupSet", "sourceDestCheck", "attachment"):
        tour("ec2.describe_network_interface_attribute", Attribute=name, **of_it)
    tour("ec2.describe_subnets", SubnetIds=[subnet])
    tour("ec2.delete_network_interface", **of_it)
    tour("ec2.delete_network_interface", **of_it)
    tour("ec2.create_network_interface", SubnetId=subnet, PrivateIpAddress="10.9.0.7")
    for _ in range(8):
        account.ec2.create_network_interface(SubnetId=subnet)
    tour("ec2.create_network_interface", SubnetId=subnet)
    image = account.image(account.snapshot())
    tour(
        "ec2.run_instances", ImageId=image, InstanceType="c5.large", MinCount=1, MaxCount=1,
        SubnetId=subnet,
    )  # fmt: skip
    [nic] = account.run(image)["NetworkInterfaces"]
    tour("ec2.delete_network_interface", NetworkInterfaceId=nic["NetworkInterfaceId"])
    two = [{"Primary": n == 0, "PrivateIpAddress": f"172.31.0.{n + 40}"} for n in range(2)]
    for listed in (two, two[:1]):
        nics = [{"DeviceIndex": 0, "PrivateIpAddresses": listed}]
        told = {"ImageId": image, "InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1}
        answer = tour("ec2.run_instances", NetworkInterfaces=nics, DryRun=True, **told)
        assert not answer
    compare(HERE / "interfaces.txt", tour.text)


def test_elastic_addresses(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    one, two = (account.run(image)["InstanceId"] for _ in range(2))
    account.ec2.describe_instances()
    allocate, associate = "ec2.allocate_address", "ec2.associate_address"
    first = tour(allocate, Domain="vpc", TagSpecifications=tagged("elastic-ip", Name="a"))
    second = tour(allocate)
    a, b = ({"AllocationId": each["AllocationId"]} for each in (first, second))

    def look() -> None:
        tour("ec2.describe_addresses")
        told = account.ec2.describe_instances()["Reservations"]
        tour.note(
            "public addresses", [i.get("PublicIpAddress") for r in told for i in r["Instances"]]
        )

    look()
    tour.each(
        associate,
        {},
        {"AllocationId": "eipalloc-0123456789abcdef0", "InstanceId": one},
        {"PublicIp": "127.42.9.9", "InstanceId": one},
        {"PublicIp": first["PublicIp"], "InstanceId": one, **a},
        {**a},
        {"InstanceId": "i-0123456789abcdef0", **a},
        {"InstanceId": one, **a},
        {"InstanceId": one, **a},
        {"InstanceId": two, "AllowReassociation": False, **a},
    )
    look()
    tour(associate, InstanceId=two, **a)
    look()
    tour(associate, InstanceId=two, PublicIp=second["PublicIp"])
    look()
    tour("ec2.release_address", **b)
    tour("ec2.describe_addresses_attribute", Attribute="domain-name")
    tour("ec2.describe_addresses_attribute", AllocationIds=[a["AllocationId"]])
    tour("ec2.describe_addresses_attribute", AllocationIds=["eipalloc-0123456789abcdef0"])
    account.ec2.stop_instances(InstanceIds=[two])
    look()
    account.ec2.start_instances(InstanceIds=[two])
    look()
    tour("ec2.disassociate_address", AssociationId="eipassoc-0123456789abcdef0")
    tour("ec2.disassociate_address")
    [held] = account.ec2.describe_addresses(AllocationIds=[b["AllocationId"]])["Addresses"]
    tour("ec2.disassociate_address", AssociationId=held["AssociationId"])
    look()
    nic = account.ec2.create_network_interface(
        SubnetId=account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    )["NetworkInterface"]["NetworkInterfaceId"]
    tour(associate, NetworkInterfaceId=nic, **a)
    [its] = account.instance(one)["NetworkInterfaces"]
    tour(associate, NetworkInterfaceId=its["NetworkInterfaceId"], **a)
    tour("ec2.disassociate_address", PublicIp=first["PublicIp"])
    tour(associate, InstanceId=one, **a)
    account.ec2.terminate_instances(InstanceIds=[one])
    look()
    tour(associate, InstanceId=one, **a)
    for given in (a, b, b):
        tour("ec2.release_address", **given)
    for _ in range(5):
        account.ec2.allocate_address()
    tour(allocate)
    look()
    compare(HERE / "addresses.txt", tour.text)


def test_security_groups(tour: Tour) -> None:
    account = tour.account
    group = tour(
        "ec2.create_security_group", GroupName="web", Description="of a test",
        TagSpecifications=tagged("security-group", Name="web"),
    )["GroupId"]  # fmt: skip
    tour("ec2.create_security_group", GroupName="web", Description="again")
    of_it = {"GroupId": group}
    allow, deny = "ec2.authorize_security_group_ingress", "ec2.revoke_security_group_ingress"

    def permission(protocol: str, *ports: int, **source: Any) -> dict[str, Any]:
        named = dict(zip(("FromPort", "ToPort"), ports, strict=False))
        sources = source or {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}]}
        return {"IpPermissions": [{"IpProtocol": protocol, **named, **sources}]}

    def described(text: str) -> dict[str, Any]:
        return permission("tcp", 80, 80, IpRanges=[{"CidrIp": "10.1.0.0/16", "Description": text}])

    tour.each(
        allow,
        permission("tcp", 80, 81),
        permission("6", 80, 81),
        permission("UDP", 53, 53, Ipv6Ranges=[{"CidrIpv6": "::/0"}]),
        permission("icmp", 8, -1),
        permission("icmpv6", Ipv6Ranges=[{"CidrIpv6": "fe80::/10"}]),
        permission("1", -1, -1, IpRanges=[{"CidrIp": "10.2.0.0/16"}]),
        permission("50"),
        permission("-1", UserIdGroupPairs=[{"GroupId": group}]),
        permission("all", 1, 2, IpRanges=[{"CidrIp": "10.3.0.0/16"}]),
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"},
        permission("sctp"),
        permission("256"),
        permission("tcp"),
        permission("tcp", 80),
        permission("tcp", 81, 80),
        permission("udp", -1, 80),
        permission("tcp", 0, 65536),
        permission("icmp"),
        permission("icmp", 256, 0),
        permission("icmp", 0, -2),
        described("ä"),
        described("x" * 256),
        described("x" * 255),
        {"GroupId": NO_GROUP, **permission("tcp", 80, 81)},
        **of_it,
    )
    tour("ec2.describe_security_groups", GroupIds=[group])
    rules = tour(
        "ec2.describe_security_group_rules", Filters=filters(("group-id", group)), MaxResults=5
    )["SecurityGroupRules"]
    target = {"IpProtocol": "tcp", "FromPort": 90, "ToPort": 91, "CidrIpv4": "10.0.0.0/9"}

    def change(rule: str, **more: Any) -> dict[str, Any]:
        wanted = {k: v for k, v in {**target, **more}.items() if v is not None}
        each = {"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}
        return {"SecurityGroupRules": [each]}

    first = next(each for each in rules if each.get("CidrIpv4") and not each["IsEgress"])
    rule = first["SecurityGroupRuleId"]
    tour.each(
        "ec2.modify_security_group_rules",
        change(rule),
        change(rule, Description="changed"),
        change(rule, CidrIpv4=None),
        change(rule, CidrIpv4="10.0.0.1"),
        change(rule, CidrIpv4=None, CidrIpv6="::/0"),
        change(rule, IpProtocol="x"),
        change(rule, Description="ä"),
        change(rule, FromPort=22, ToPort=22, CidrIpv4="0.0.0.0/0"),
        change("sgr-0123456789abcdef0"),
        {"GroupId": NO_GROUP, **change(rule)},
        {"SecurityGroupRules": [{"SecurityGroupRuleId": rule}]},
        **of_it,
    )
    tour("ec2.describe_security_group_rules", SecurityGroupRuleIds=[rule])
    update = "ec2.update_security_group_rule_descriptions_ingress"
    changed = {"IpRanges": [{"CidrIp": "10.0.0.0/9", "Description": "after"}]}
    tour(update, **of_it, **permission("tcp", 90, 91, **changed))
    tour(update, **of_it, **permission("x", 90, 91, **changed))
    tour("ec2.describe_security_group_rules", SecurityGroupRuleIds=[rule])
    egress = "security_group_egress"
    tour(f"ec2.authorize_{egress}", **of_it, **permission("tcp", 443, 443))
    tour(f"ec2.authorize_{egress}", **of_it, **permission("tcp", 443))
    updated = permission("tcp", 443, 443, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "o"}])
    tour("ec2.update_security_group_rule_descriptions_egress", **of_it, **updated)
    tour(f"ec2.revoke_{egress}", **of_it, **permission("tcp", 443, 443))
    tour.each(deny, permission("tcp", 22), {"SecurityGroupRuleIds": [rule]}, **of_it)
    tour(deny, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0", **of_it)
    tour("ec2.describe_security_groups", GroupIds=[group])
    tour("ec2.describe_security_group_references", GroupId=[group])
    tour("ec2.describe_security_group_references", GroupId=[NO_GROUP])
    tour.each(
        "ec2.delete_security_group", {"GroupName": "none"}, {"GroupId": NO_GROUP}, of_it, of_it
    )
    begun = account.run(account.image(account.snapshot()))
    used = begun["SecurityGroups"][0]["GroupId"]
    tour("ec2.delete_security_group", GroupId=used)
    account.ec2.create_security_group(GroupName="named", Description="n")
    tour("ec2.delete_security_group", GroupName="named")
    compare(HERE / "security-groups.txt", tour.text)
