"""Will it work? Each answer with what to do when it will not. Changes nothing.

What the caller may do is asked of EC2 itself, by calls with `DryRun`: their authorization is
real, the organisation's limits included. Not asked: calls about resources that do not exist yet,
such as CreateTags and RunInstances, for an answer about an invented id says nothing; and what only
shows with real arguments. Where a check leaves something open, its answer says what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nitro.check import Check
from nitro.cloud import role, storage, tags
from nitro.cloud.codes import DENIED
from nitro.cloud.errors import ApiError
from nitro.cloud.network import find_subnet
from nitro.cloud.preflight import ENCRYPTED, is_encrypted_by_default, vcpu_quota
from nitro.cloud.session import Cloud
from nitro.errors import NitroError

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import ResourceTypeType
    from mypy_boto3_ec2.type_defs import TagSpecificationTypeDef

_POLICY = "docs/aws.md has the whole policy"
_NO_SNAPSHOT = "snap-00000000000000000"
_WRITING = ("ebs:PutSnapshotBlock", "ebs:CompleteSnapshot")


def examine(cloud: Cloud, bucket: str | None = None, subnet_id: str | None = None) -> list[Check]:
    """All checks, in the order in which a deployment meets them.

    Without usable credentials only the first is made: nothing else could be said.
    """
    first = _run_check("credentials", lambda: _credentials(cloud))
    if not first.ok:
        return [first]
    name = bucket or storage.own_bucket_name(cloud)
    return [
        first,
        _run_check("region", lambda: _region(cloud)),
        _run_check("permissions", lambda: _permissions(cloud)),
        _run_check("direct snapshots", lambda: _direct(cloud)),
        _run_check("bucket", lambda: _bucket(cloud, bucket)),
        _run_check("role vmimport", lambda: _role(cloud, name)),
        _run_check("subnet", lambda: _subnet(cloud, subnet_id)),
        _run_check("encryption", lambda: _encryption(cloud)),
        _run_check("vCPU quota", lambda: _quota(cloud)),
    ]


def _run_check(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except NitroError as error:
        return Check(name, False, error.what, error.hint or "see the message")


def _credentials(cloud: Cloud) -> Check:
    return Check("credentials", True, cloud.identity["Arn"])


def _region(cloud: Cloud) -> Check:
    regions = cloud.ec2.describe_regions(RegionNames=[cloud.region], AllRegions=True)["Regions"]
    status = regions[0].get("OptInStatus", "opt-in-not-required") if regions else "unknown"
    if status in {"opted-in", "opt-in-not-required"}:
        return Check("region", True, cloud.region)
    return Check(
        "region", False, f"{cloud.region} is {status}", "enable the region in the account settings"
    )


def _permissions(cloud: Cloud) -> Check:
    """Ask EC2 whether it would do each call that changes something."""
    denied = [action for action, ask in _questions(cloud).items() if _is_denied(ask)]
    if denied:
        return Check("permissions", False, f"denied: {', '.join(denied)}", _POLICY)
    allowed = ", ".join(_questions(cloud))
    return Check("permissions", True, f"allowed: {allowed}; others show only when they are used")


def _questions(cloud: Cloud) -> dict[str, Callable[[], Any]]:
    """The calls that can be asked about before anything of ours exists, with our tags."""
    ec2, owner = cloud.ec2, {tags.OWNER: tags.OWNER_VALUE}

    def tagged(kind: ResourceTypeType) -> list[TagSpecificationTypeDef]:
        return tags.as_specification([kind], owner)

    return {
        "ec2:ImportSnapshot": lambda: ec2.import_snapshot(
            DryRun=True,
            DiskContainer={"Format": "RAW", "UserBucket": {"S3Bucket": "none", "S3Key": "none"}},
            TagSpecifications=tagged("import-snapshot-task"),
        ),
        "ec2:RegisterImage": lambda: ec2.register_image(
            DryRun=True, Name="nitro-doctor", TagSpecifications=tagged("image")
        ),
        "ec2:CreateSecurityGroup": lambda: ec2.create_security_group(
            DryRun=True,
            GroupName="nitro-doctor",
            Description="never made",
            TagSpecifications=tagged("security-group"),
        ),
    }


def _direct(cloud: Cloud) -> Check:
    """Ask EBS, which knows no `DryRun`, for a snapshot of a parent that does not exist."""

    def ask() -> object:
        return cloud.ebs.start_snapshot(
            VolumeSize=1,
            ParentSnapshotId=_NO_SNAPSHOT,
            Tags=tags.as_list({tags.OWNER: tags.OWNER_VALUE}),
        )

    if _is_denied(ask):
        said = "denied: ebs:StartSnapshot, so --via s3 alone is possible; --via ebs also needs"
    else:
        said = "allowed: ebs:StartSnapshot; --via ebs needs neither bucket nor role, but also"
    return Check("direct snapshots", True, f"{said} {' and '.join(_WRITING)}")


def _is_denied(ask: Callable[[], Any]) -> bool:
    """Any other answer, that the arguments are bad for one, is not a denial."""
    try:
        ask()
    except ApiError as error:
        return error.code in DENIED
    return False


def _bucket(cloud: Cloud, name: str | None) -> Check:
    bucket = storage.find_bucket(cloud, name)
    if bucket:
        return Check("bucket", True, bucket.name)
    if name:
        return Check("bucket", False, f"there is no bucket {name}", "omit --bucket, or create it")
    return Check("bucket", True, f"{storage.own_bucket_name(cloud)} will be created")


def _role(cloud: Cloud, bucket: str) -> Check:
    problems = role.problems(cloud, bucket)
    if not problems:
        return Check("role vmimport", True, f"may import from {bucket}")
    return Check(
        "role vmimport", False, "; ".join(problems), "`nitro doctor --create-role` repairs it"
    )


def _subnet(cloud: Cloud, subnet_id: str | None) -> Check:
    subnet = find_subnet(cloud, subnet_id)
    address = "a public address" if subnet.public else "no public address"
    return Check("subnet", True, f"{subnet.id} in {subnet.zone}, instances get {address}")


def _encryption(cloud: Cloud) -> Check:
    """Whose key it is, and what its policy says, is another service's to tell."""
    encrypted = is_encrypted_by_default(cloud)
    return Check("encryption", True, ENCRYPTED if encrypted else "EBS encryption by default is off")


def _quota(cloud: Cloud) -> Check:
    vcpus = vcpu_quota(cloud)
    if vcpus is None:
        return Check("vCPU quota", True, f"no quota in {cloud.region}")
    if vcpus < 4:  # a server and a client of the smallest types with two vCPUs each
        return Check(
            "vCPU quota", False, f"{vcpus} vCPUs", "ask for more under Service Quotas, Amazon EC2"
        )
    return Check(
        "vCPU quota",
        True,
        f"{vcpus} vCPUs of standard instances at a time, those that run now included",
    )
