"""What a deployment needs of the account, asked before anything is built or uploaded.

What cannot be known beforehand is not asked: how many vCPUs are in use, whether a zone has
capacity, and what a policy says of resources that do not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from nitro.cloud import network, placement_groups, storage
from nitro.cloud.codes import DENIED
from nitro.cloud.errors import ApiError
from nitro.cloud.instance_types import InstanceType
from nitro.cloud.session import Cloud
from nitro.errors import InputError, RefusedError

_T = TypeVar("_T")

# "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
VCPU_QUOTA = "L-1216C47A"
SPOT_VCPU_QUOTA = "L-34B43A08"  # "All Standard (…) Spot Instance Requests", in vCPUs
_STANDARD = frozenset("acdhimrtz")
ENCRYPTED = (
    "EBS encryption by default is on: a customer managed key must let you and the role "
    "vmimport use it"
)


def check(
    cloud: Cloud,
    instance_type: InstanceType,
    *,
    instances: int,
    subnet_id: str | None = None,
    bucket: str | None = None,
    security_groups: Sequence[str] = (),
    placement_group: str | None = None,
    from_host: bool = False,
    spot: bool = False,
) -> list[str]:
    """Ask for everything that `instances` of a type need; returns what is worth a note.

    Raises RefusedError for a missing subnet or bucket and for a vCPU quota that is too small,
    InputError for a security group of another VPC, for a placement group that is not there, and for
    a subnet without public addresses when this machine is to measure.
    """
    subnet = network.find_subnet(cloud, subnet_id, instance_type.name)
    if from_host and not subnet.public:
        raise InputError(
            f"instances in {subnet.id} have no public address, so this machine cannot measure them",
            hint="use --from instance, or a subnet that assigns public addresses",
        )
    network.check_groups(cloud, subnet, security_groups)
    if placement_group:
        placement_groups.check(cloud, placement_group)
    if bucket and storage.find_bucket(cloud, bucket) is None:
        raise storage.no_bucket(bucket)
    _check_vcpus(cloud, instance_type, instances, spot)
    return [ENCRYPTED] if _unless_denied(is_encrypted_by_default, cloud) else []


def vcpu_quota(cloud: Cloud, spot: bool = False) -> int | None:
    """How many vCPUs of standard types may run at a time, on demand or from the spot market; None
    where there is no such quota."""
    code = SPOT_VCPU_QUOTA if spot else VCPU_QUOTA
    try:
        answer = cloud.quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except ApiError as error:
        if error.code != "NoSuchResourceException":
            raise
        return None
    return int(answer["Quota"]["Value"])


def is_encrypted_by_default(cloud: Cloud) -> bool:
    """Whether EBS encrypts every new snapshot and volume of this region."""
    return cloud.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]


def _check_vcpus(cloud: Cloud, instance_type: InstanceType, instances: int, spot: bool) -> None:
    if instance_type.name[0] not in _STANDARD:
        return  # other families have quotas of their own
    wanted = instances * instance_type.vcpus
    quota = _unless_denied(lambda cloud: vcpu_quota(cloud, spot), cloud)
    if quota is not None and wanted > quota:
        raise RefusedError(
            f"{instances} × {instance_type.name} have {wanted} vCPUs, the account's quota in "
            f"{cloud.region} is {quota}",
            hint="choose a smaller type, or ask for more under Service Quotas, Amazon EC2",
        )


def _unless_denied(ask: Callable[[Cloud], _T], cloud: Cloud) -> _T | None:
    """An answer that a deployment can do without, or None where it may not be asked for."""
    try:
        return ask(cloud)
    except ApiError as error:
        if error.code not in DENIED:
            raise
        return None
