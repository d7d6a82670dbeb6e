"""Regions: which there are, their default networks, and how one finds another.

A region is made when it is first asked for. All share the site's network, so that default VPCs,
which AWS gives 172.31.0.0/16 everywhere, have a range of their own in each region here.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Any

import botocore.session
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.utilities.utils import get_partition

from nitro.local import host_names
from nitro.local.aws import quotas
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.needs import GetParam

HOME = "us-east-1"  # the region whose default VPC has AWS's own range
_HOME_NETWORK = ipaddress.IPv4Network("172.31.0.0/16")
_OTHER_NETWORKS = ipaddress.IPv4Network("10.128.0.0/9")

# Those that every account has from the start.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_DEFAULT = frozenset(
    {
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "sa-east-1", "ca-central-1"),
        *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "ap-south-1"),
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
        *("ap-southeast-1", "ap-southeast-2"),
    }
)


@functools.cache
def names(partition: str = "aws") -> tuple[str, ...]:
    """The regions of a partition, as botocore knows them."""
    session = botocore.session.get_session()
    return tuple(session.get_available_regions("ec2", partition_name=partition))


def default_network(region_name: str) -> ipaddress.IPv4Network:
    """The range of a region's default VPC; no two regions share one."""
    if region_name == HOME:
        return _HOME_NETWORK
    every = sorted({*names("aws"), *names("aws-cn"), *names("aws-us-gov"), region_name})
    return list(_OTHER_NETWORKS.subnets(new_prefix=16))[every.index(region_name)]


def backend_of(account_id: str, region_name: str, asking: str) -> Any:
    """The EC2 backend of a region that a call in the region `asking` names.

    Raises EC2ClientError when its partition has no such region.
    """
    if region_name not in names(get_partition(asking)):
        raise EC2ClientError("InvalidRegion", f"The region {region_name} is not valid.")
    return ec2_backends[account_id][region_name]


class RegionsBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    region_name: str
    dhcp_options_sets: Any
    vpcs: Any

    def create_vpc(self, cidr_block: str, *args: Any, **options: Any) -> Any:
        if options.get("is_default"):
            cidr_block = str(default_network(self.region_name))
        vpc = super().create_vpc(cidr_block, *args, **options)  # type: ignore[misc]
        vpc.dhcp_options = self._dhcp_options()
        return vpc

    def delete_vpc(self, vpc_id: str) -> Any:
        """moto would remove the DHCP options with it; they are those of the region."""
        if vpc := self.vpcs.get(vpc_id):
            vpc.dhcp_options = None
        return super().delete_vpc(vpc_id)  # type: ignore[misc]

    def _dhcp_options(self) -> Any:
        """The region's only set: what the subnets' DHCP servers say.

        https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html
        """
        if not self.dhcp_options_sets:
            self.create_dhcp_options(  # type: ignore[attr-defined]
                domain_name_servers=["AmazonProvidedDNS"],
                domain_name=[host_names.domain(self.region_name)],
            )
        return next(iter(self.dhcp_options_sets.values()))


class RegionActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def create_subnet(self) -> Any:
        self._check_range()
        return super().create_subnet()  # type: ignore[misc]

    def create_vpc(self) -> Any:
        self._check_range()
        return super().create_vpc()  # type: ignore[misc]

    def _check_range(self) -> None:
        """The model does not require it: with IPAM, which is not here, there is none."""
        if not self._get_param("CidrBlock"):
            message = "Either 'cidrBlock' or 'ipv4IpamPoolId' must be provided."
            raise EC2ClientError("MissingParameter", message)

    def describe_account_attributes(self) -> ActionResult:
        """`max-instances` is what AWS answers still, and no limit any more."""
        defaults = [vpc.id for vpc in self.ec2_backend.vpcs.values() if vpc.is_default]
        values = {
            "default-vpc": (defaults or ["none"])[0],
            "max-elastic-ips": quotas.ADDRESSES.most,
            "max-instances": 20,
            "supported-platforms": "VPC",
            "vpc-max-elastic-ips": quotas.ADDRESSES.most,
            "vpc-max-security-groups-per-interface": quotas.GROUPS_USED.most,
        }
        asked = self._get_param("AttributeNames") or list(values)
        return ActionResult(
            {
                "AccountAttributes": [
                    {"AttributeName": name, "AttributeValues": [{"AttributeValue": str(value)}]}
                    for name, value in values.items()
                    if name in asked
                ]
            }
        )

    def describe_regions(self) -> ActionResult:
        """Every region of the partition; those that AWS does not enable by itself are enabled."""
        partition = self.ec2_backend.partition
        asked = self._get_param("RegionNames", [])
        known = names(partition)
        for name in asked:
            if name not in known:
                raise invalid_value(f"Invalid region name provided: {name}")
        domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        return ActionResult(
            {
                "Regions": [
                    {
                        "RegionName": name,
                        "Endpoint": f"ec2.{name}.{domain}",
                        "OptInStatus": "opt-in-not-required"
                        if name in _DEFAULT or partition != "aws"
                        else "opted-in",
                    }
                    for name in asked or known
                ]
            }
        )
