"""What an account may have at a time, refused as EC2 refuses more.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from nitro.local.aws.api.errors import invalid_value

#: of running instances of each bucket of types; what an account has that is in regular use
VCPUS = 1152

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
