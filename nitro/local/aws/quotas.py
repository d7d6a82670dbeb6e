"""What an account may have at a time: refused beyond it, and told by Service Quotas.

The numbers are AWS's defaults, but for the vCPUs.
https://docs.aws.amazon.com/general/latest/gr/ec2-service.html#limits_ec2
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-quotas.html
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
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
    """How many of `what` there may be, and the code of the refusal of one more.

    Service Quotas has it for a `service` as `id`, under a `name`, with a default of `default`
    (None: that is `most`). The documentation has no id for those without one.
    """

    what: str
    most: int
    code: str
    service: str = ""
    id: str = ""
    name: str = ""
    default: int | None = None

    def check(self, present: int, added: int = 1) -> None:
        """Raises EC2ClientError where `added` more would be too many."""
        if present + added > self.most:
            raise EC2ClientError(
                self.code, f"The maximum number of {self.what} has been reached: {self.most}."
            )


ADDRESSES = Quota(
    *("elastic addresses in a region", 5, "AddressLimitExceeded"),
    *("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"),
)
BUCKETS = Quota(
    *("buckets in an account", 10_000, "TooManyBuckets"),
    *("s3", "L-DC2B2D3D", "General purpose buckets"),
)
COPIES = Quota("snapshot copies in progress to a region", 20, "ResourceLimitExceeded")
GROUPS = Quota(
    *("security groups in a region", 2500, "SecurityGroupLimitExceeded"),
    *("vpc", "L-E79EC296", "VPC security groups per Region"),
)
GROUPS_USED = Quota(
    *("security groups of a network interface", 5, "SecurityGroupsPerInterfaceLimitExceeded"),
    *("vpc", "L-2AFB9258", "Security groups per network interface"),
)
IMAGES = Quota(
    *("AMIs in a region", 50_000, "ResourceLimitExceeded"), *("ec2", "L-B665C33B", "AMIs")
)
INTERFACES = Quota(
    *("network interfaces in a region", 5000, "NetworkInterfaceLimitExceeded"),
    *("vpc", "L-DF5E4CA3", "Network interfaces per Region"),
)
PENDING = Quota("pending snapshots of a volume", 5, "ConcurrentSnapshotLimitExceeded")
PUBLIC_IMAGES = Quota(
    *("public AMIs in a region", 5, "ResourceLimitExceeded"),
    *("ec2", "L-0E3CBAB9", "Public AMIs"),
)
RULES = Quota(
    "rules of a security group in each direction",
    *(60, "RulesPerSecurityGroupLimitExceeded"),
    *("vpc", "L-0EA8095F", "Inbound or outbound rules per security group"),
)
SHARES = Quota(
    "accounts, organizations and units that an AMI is shared with", 1000, "ResourceLimitExceeded"
)
SUBNETS = Quota(
    *("subnets in a VPC", 200, "SubnetLimitExceeded"),
    *("vpc", "L-407747CB", "Subnets per VPC"),
)
VPCS = Quota(
    *("VPCs in a region", 5, "VpcLimitExceeded"), *("vpc", "L-F678F1CE", "VPCs per Region")
)


def _on_demand(kind: str, id_: str, default: int = 0) -> Quota:
    name = f"Running On-Demand {kind} instances"
    return Quota(f"vCPUs of {name}", VCPUS, "VcpuLimitExceeded", "ec2", id_, name, default)


def _spot(kind: str, id_: str, default: int = 0) -> Quota:
    name = f"All {kind} Spot Instance Requests"
    what = f"vCPUs of {name}"
    return Quota(what, VCPUS, "MaxSpotInstanceCountExceeded", "ec2", id_, name, default)


_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"

#: vCPUs that run on demand, by the bucket of types that they count in
ON_DEMAND: Mapping[str, Quota] = {
    "DL": _on_demand("DL", "L-6E869C2A"),
    "F": _on_demand("F", "L-74FC7D96"),
    "G and VT": _on_demand("G and VT", "L-DB2E81BA"),
    "HPC": _on_demand("HPC", "L-F7808C92"),
    "High Memory": _on_demand("High Memory", "L-43DA4232"),
    "Inf": _on_demand("Inf", "L-1945791B"),
    "P": _on_demand("P", "L-417A185B"),
    "Standard": _on_demand(_STANDARD, "L-1216C47A", 5),
    "Trn": _on_demand("Trn", "L-2C3B7624"),
    "X": _on_demand("X", "L-7295265B"),
}

#: vCPUs from the spot market, which has no instances of the other buckets
SPOT: Mapping[str, Quota] = {
    "DL": _spot("DL", "L-85EED4F7"),
    "F": _spot("F", "L-88CF9481"),
    "G and VT": _spot("G and VT", "L-3819A6DF"),
    "Inf": _spot("Inf", "L-B5D1601B"),
    "P": _spot("P", "L-7212CCBC"),
    "Standard": _spot(_STANDARD, "L-34B43A08", 5),
    "Trn": _spot("Trn", "L-6B0D517C"),
    "X": _spot("X", "L-E3A00192"),
}

QUOTAS = (
    *(ADDRESSES, BUCKETS, COPIES, GROUPS, GROUPS_USED, IMAGES, INTERFACES, PENDING),
    *(PUBLIC_IMAGES, RULES, SHARES, SUBNETS, VPCS, *ON_DEMAND.values(), *SPOT.values()),
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
    elif operation in ("CopyImage", "CreateImage", "RegisterImage"):
        IMAGES.check(sum(each.owner_id == backend.account_id for each in backend.amis.values()))
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


def instances_to_launch(present: Iterable[Any], asked: Mapping[str, Any]) -> int:
    """How many instances RunInstances gets, as `asked`, beside those that are `present`.

    Raises EC2ClientError when it may not have even MinCount.
    """
    least, most = int(asked["MinCount"]), int(asked["MaxCount"])
    type_name = asked.get("InstanceType") or "m1.small"
    spot = asked.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    if least < 1:
        raise invalid_value(
            f"Value ({least}) for parameter minCount is invalid. Value must be at least 1"
        )
    if most < least:
        raise invalid_value(
            f"Value ({most}) for parameter maxCount is invalid. Value must be at least {least}"
        )
    fitting = _vcpus_left(present, type_name, spot=spot) // _vcpus(type_name)
    if fitting < least:
        raise _no_vcpus(type_name, spot=spot)
    return min(most, fitting)


def check_start(present: Iterable[Any], starting: Any) -> None:
    """Raises EC2ClientError where a stopped instance has too many vCPUs to start beside others."""
    spot = starting.lifecycle == "spot"
    if _vcpus_left(present, starting.instance_type, spot=spot) < _vcpus(starting.instance_type):
        raise _no_vcpus(starting.instance_type, spot=spot)


def _vcpus_left(present: Iterable[Any], type_name: str, *, spot: bool) -> int:
    bucket = _bucket(type_name)
    quota = (SPOT if spot else ON_DEMAND).get(bucket)
    used = sum(
        _vcpus(each.instance_type)
        for each in present
        if each.state in _COUNTED
        and _bucket(each.instance_type) == bucket
        and (each.lifecycle == "spot") == spot
    )
    return quota.most - used if quota else 0


def _no_vcpus(type_name: str, *, spot: bool) -> EC2ClientError:
    if spot:
        return EC2ClientError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    quota = ON_DEMAND[_bucket(type_name)]
    return EC2ClientError(
        quota.code,
        f"You have requested more vCPU capacity than your current vCPU limit of {quota.most} "
        "allows for the instance bucket that the specified instance type belongs to.",
    )


def _vcpus(type_name: str) -> int:
    return int(INSTANCE_TYPES[type_name]["VCpuInfo"]["DefaultVCpus"])


def _bucket(type_name: str) -> str:
    named = (name for starts, name in _BUCKETS.items() if type_name.startswith(starts))
    return next(named, "Standard")
