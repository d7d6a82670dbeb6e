"""Where instances live: a subnet that is there already, and a security group of our own.

The group lets its own members reach each other, so that a client instance can measure a
server. From outside it is closed, but for the recipe's ports from the ranges named by the
caller. Nothing finds out the caller's own address: that would take a service outside AWS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitro.cloud import tags, wait
from nitro.cloud.errors import ApiError, ignoring
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.errors import InputError, RefusedError
from nitro.ports import Port

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

REMOVAL_DEADLINE = 300.0  # seconds; network interfaces linger for a while after their instance


@dataclass(frozen=True)
class Subnet:
    id: str
    vpc_id: str
    zone: str
    public: bool = True  # whether instances get a public address


def find_subnet(cloud: Cloud, subnet_id: str | None = None, type_name: str | None = None) -> Subnet:
    """The first of `find_subnets`."""
    return find_subnets(cloud, subnet_id, type_name)[0]


def find_subnets(
    cloud: Cloud, subnet_id: str | None = None, type_name: str | None = None
) -> list[Subnet]:
    """The given subnet, or the default VPC's, those with the most free addresses first.

    With a `type_name`, only zones that offer this instance type are considered. Raises
    RefusedError when there is no default VPC, or no such zone, ApiError for an unknown subnet.
    """
    if subnet_id:
        found = cloud.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    else:
        pages = cloud.ec2.get_paginator("describe_subnets").paginate(
            Filters=[{"Name": "default-for-az", "Values": ["true"]}]
        )
        found = [subnet for page in pages for subnet in page["Subnets"]]
    if not found:
        raise RefusedError(
            f"{cloud.region} has no default VPC",
            hint="name a subnet with --subnet, or run `aws ec2 create-default-vpc`",
        )
    if type_name:
        zones = _zones_with(cloud, type_name)
        found = [subnet for subnet in found if subnet["AvailabilityZone"] in zones]
        if not found:
            where = subnet_id or "no subnet of the default VPC"
            raise RefusedError(
                f"{where} is {'not ' if subnet_id else ''}in a zone that offers {type_name}",
                hint=f"it is offered in {', '.join(sorted(zones)) or 'none'}: see --subnet",
            )
    found.sort(key=lambda s: (s["AvailableIpAddressCount"], s["SubnetId"]), reverse=True)
    return [
        Subnet(s["SubnetId"], s["VpcId"], s["AvailabilityZone"], s["MapPublicIpOnLaunch"])
        for s in found
    ]


def _zones_with(cloud: Cloud, type_name: str) -> set[str]:
    pages = cloud.ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [type_name]}],
    )
    return {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}


def permissions(
    group_id: str, ports: Iterable[Port], allow: Sequence[str]
) -> list[IpPermissionTypeDef]:
    """The group's inbound rules; `allow` are the CIDR ranges that may reach the ports.

    Each port gets one rule, however often it is named: EC2 refuses a rule that comes twice.
    """
    rules: list[IpPermissionTypeDef] = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]},
    ]
    networks = [_network(cidr) for cidr in allow]
    sources: IpPermissionTypeDef = {}
    if v4 := [n for n in networks if n.version == 4]:
        sources["IpRanges"] = [{"CidrIp": str(n)} for n in v4]
    if v6 := [n for n in networks if n.version == 6]:
        sources["Ipv6Ranges"] = [{"CidrIpv6": str(n)} for n in v6]
    if sources:
        for port in dict.fromkeys(ports):
            span: IpPermissionTypeDef = {"FromPort": port.number, "ToPort": port.number}
            rules.append({"IpProtocol": port.protocol, **span, **sources})
    return rules


def create_group(
    cloud: Cloud,
    subnet: Subnet,
    *,
    deployment: str,
    ports: Iterable[Port],
    allow: Sequence[str],
    tag_map: tags.Tags,
    undo: Undo,
) -> str:
    """Make the deployment's security group; returns its id."""
    ports = tuple(ports)
    check_ranges(allow)  # before anything is made
    name = f"nitro-{deployment}"
    with undo.making(
        f"security group {name}",
        Lifetime.INSTANCE,
        find=lambda: find_groups(cloud, deployment),
        remove=lambda id_: remove_group(cloud, id_),
    ) as entry:
        answer = cloud.ec2.create_security_group(
            GroupName=name,
            Description=f"nitro deployment {deployment}",
            VpcId=subnet.vpc_id,
            TagSpecifications=tags.as_specification(["security-group"], tag_map),
        )
        entry.id = group_id = str(answer["GroupId"])
    with ignoring("InvalidPermission.Duplicate"):  # by an attempt whose answer was lost
        cloud.ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=permissions(group_id, ports, allow),
            TagSpecifications=tags.as_specification(["security-group-rule"], tag_map),
        )
    return group_id


def check_groups(cloud: Cloud, subnet: Subnet, group_ids: Sequence[str]) -> None:
    """Raises ApiError for a security group that is not there, InputError for one of another VPC."""
    if not group_ids:
        return
    answer = cloud.ec2.describe_security_groups(GroupIds=group_ids)
    for group in answer["SecurityGroups"]:
        if group["VpcId"] != subnet.vpc_id:
            raise InputError(
                f"the security group {group['GroupId']} is of {group['VpcId']}, the subnet "
                f"{subnet.id} of {subnet.vpc_id}",
                hint="choose both of one VPC; see --subnet",
            )


def find_groups(cloud: Cloud, deployment: str) -> list[str]:
    answer = cloud.ec2.describe_security_groups(Filters=tags.by(deployment=deployment))
    return [group["GroupId"] for group in answer["SecurityGroups"]]


def remove_group(cloud: Cloud, group_id: str) -> None:
    """Remove a group, once the last network interface has let go of it."""

    def look() -> bool | None:
        try:
            cloud.ec2.delete_security_group(GroupId=group_id)
        except ApiError as error:
            if error.code == "DependencyViolation":
                return None
            if not error.absent:
                raise
        return True

    wait.until(
        cloud, look, what=f"the removal of {group_id}", deadline=REMOVAL_DEADLINE, longest_pause=5.0
    )


def check_ranges(allow: Iterable[str]) -> None:
    """Raises InputError for what is no range of addresses."""
    for cidr in allow:
        _network(cidr)


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise InputError(
            f"{cidr!r} is not a range of addresses: {error}", hint="such as 198.51.100.7/32"
        ) from None
