"""What an account may have at a time, refused as EC2 refuses more.

The numbers are AWS's defaults, but for the vCPUs.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
https://docs.aws.amazon.com/general/latest/gr/ebs-service.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from nitro.local.aws.api.errors import invalid_value

#: of running instances of each bucket of types; what an account has that is in regular use
VCPUS = 1152


@dataclass(frozen=True)
class Quota:
    """How many of `what` there may be, and the code of the refusal of one more."""

    what: str
    most: int
    code: str

    def check(self, present: int, added: int = 1) -> None:
        """Raises EC2ClientError where `added` more would be too many."""
        if present + added > self.most:
            raise EC2ClientError(
                self.code, f"The maximum number of {self.what} has been reached: {self.most}."
            )


ADDRESSES = Quota("elastic addresses in a region", 5, "AddressLimitExceeded")
BUCKETS = Quota("buckets in an account", 10_000, "TooManyBuckets")
COPIES = Quota("snapshot copies in progress to a region", 20, "ResourceLimitExceeded")
GROUPS = Quota("security groups in a region", 2500, "SecurityGroupLimitExceeded")
GROUPS_USED = Quota(
    "security groups of a network interface", 5, "SecurityGroupsPerInterfaceLimitExceeded"
)
INTERFACES = Quota("network interfaces in a region", 5000, "NetworkInterfaceLimitExceeded")
PENDING = Quota("pending snapshots of a volume", 5, "ConcurrentSnapshotLimitExceeded")
RULES = Quota(
    "rules of a security group in each direction", 60, "RulesPerSecurityGroupLimitExceeded"
)
SUBNETS = Quota("subnets in a VPC", 200, "SubnetLimitExceeded")
VPCS = Quota("VPCs in a region", 5, "VpcLimitExceeded")

QUOTAS = (
    *(ADDRESSES, BUCKETS, COPIES, GROUPS, GROUPS_USED, INTERFACES, PENDING, RULES, SUBNETS),
    VPCS,
)

_BUCKETS = {  # the beginnings of instance families → the bucket they count in
    ("dl",): "DL",
    ("f",): "F",
    ("g", "vt"): "G and VT",
    ("hpc",): "HPC",
    ("inf",): "Inf",
    ("p",): "P",
    ("trn",): "Trn",
    ("u-", "u7"): "High Memory",
    ("x",): "X",
}
_COUNTED = ("pending", "running")  # states of an instance


def check(backend: Any, operation: str, asked: Mapping[str, Any]) -> None:
    """Raises EC2ClientError for a request of what would be too many."""
    if operation == "CreateSecurityGroup":
        GROUPS.check(sum(len(groups) for groups in backend.groups.values()))
    elif operation == "AllocateAddress":
        ADDRESSES.check(len(backend.addresses))
    elif operation == "CreateVpc":
        VPCS.check(len(backend.vpcs))
    elif operation == "CreateSubnet":
        of_all = (subnet for zone in backend.subnets.values() for subnet in zone.values())
        SUBNETS.check(sum(subnet.vpc_id == asked["VpcId"] for subnet in of_all))
    elif operation in ("CreateNetworkInterface", "RunInstances"):
        INTERFACES.check(len(backend.enis))
        for groups in _groups(asked):
            GROUPS_USED.check(0, len(groups))
    elif operation == "CreateSnapshot":
        pending = (each for each in backend.snapshots.values() if each.status == "pending")
        PENDING.check(sum(each.volume_id == asked["VolumeId"] for each in pending))
    elif operation.startswith("AuthorizeSecurityGroup"):
        _check_rules(backend, operation, asked)


def _groups(asked: Mapping[str, Any]) -> Iterable[list[str]]:
    named = [asked, *asked.get("NetworkInterfaces", [])]
    names = ("Groups", "SecurityGroupIds", "SecurityGroups")
    return (each[name] for each in named for name in names if name in each)


def _check_rules(backend: Any, operation: str, asked: Mapping[str, Any]) -> None:
    """Each range, group or list of prefixes is a rule of its own."""
    named = asked.get("GroupId") or asked.get("GroupName")
    group = backend.get_security_group_by_name_or_id(named)
    if group is None:
        return
    present = group.egress_rules if operation.endswith("Egress") else group.ingress_rules
    sources = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    permissions = asked.get("IpPermissions", [])
    added = sum(len(each.get(source, [])) for each in permissions for source in sources)
    RULES.check(len(present), max(added, 1))


def instances_to_launch(present: Iterable[Any], type_name: str, least: int, most: int) -> int:
    """How many instances a launch of `least` to `most` gets beside those that are `present`.

    Raises EC2ClientError when it may not have even `least`.
    """
    if least < 1:
        raise invalid_value(
            f"Value ({least}) for parameter minCount is invalid. Value must be at least 1"
        )
    if most < least:
        raise invalid_value(
            f"Value ({most}) for parameter maxCount is invalid. Value must be at least {least}"
        )
    bucket = _bucket(type_name)
    used = sum(
        _vcpus(each.instance_type)
        for each in present
        if each.state in _COUNTED and _bucket(each.instance_type) == bucket
    )
    fitting = (VCPUS - used) // _vcpus(type_name)
    if fitting < least:
        raise EC2ClientError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {VCPUS} allows "
            "for the instance bucket that the specified instance type belongs to.",
        )
    return min(most, fitting)


def _vcpus(type_name: str) -> int:
    return int(INSTANCE_TYPES[type_name]["VCpuInfo"]["DefaultVCpus"])


def _bucket(type_name: str) -> str:
    named = (name for starts, name in _BUCKETS.items() if type_name.startswith(starts))
    return next(named, "Standard")
