"""The role `vmimport`, which ImportSnapshot assumes to read the bucket: right, or made right.

Trust and permissions:
https://docs.aws.amazon.com/vm-import/latest/userguide/required-permissions.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, cast

from nitro.cloud import tags
from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.errors import RefusedError

NAME = "vmimport"
POLICY = "nitro-vmimport"  # and the name of the bucket: the role serves every region
SERVICE = "vmie.amazonaws.com"
ON_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket")
ON_OBJECTS = ("s3:GetObject",)
ON_EC2 = (
    "ec2:ModifySnapshotAttribute",
    "ec2:CopySnapshot",
    "ec2:RegisterImage",
    "ec2:Describe*",
)


def trust() -> dict[str, Any]:
    """Who may assume the role: VM Import, and it alone."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "vmimport"}},
            }
        ],
    }


def permissions(cloud: Cloud, bucket: str) -> dict[str, Any]:
    """What the role may do: read one bucket, and make snapshots of it."""
    arn = bucket_arn(cloud, bucket)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(ON_BUCKET), "Resource": arn},
            {"Effect": "Allow", "Action": list(ON_OBJECTS), "Resource": f"{arn}/*"},
            {"Effect": "Allow", "Action": list(ON_EC2), "Resource": "*"},
        ],
    }


def problems(cloud: Cloud, bucket: str) -> list[str]:
    """What is wrong with the role, in words; empty when it can import from `bucket`."""
    try:
        role = cloud.iam.get_role(RoleName=NAME)["Role"]
    except ApiError as error:
        if error.code != "NoSuchEntity":
            raise
        return [f"there is no role {NAME}"]
    found = []
    if not any(_trusts_import(s) for s in _allowing(_parsed(role["AssumeRolePolicyDocument"]))):
        found.append(f"it does not let {SERVICE} assume it with the external id vmimport")
    allowed = [s for document in _policies(cloud) for s in _allowing(document)]
    arn = bucket_arn(cloud, bucket)
    needed = [(action, arn) for action in ON_BUCKET]
    needed += [(action, f"{arn}/images/any.raw") for action in ON_OBJECTS]
    needed += [(action.replace("*", "Snapshots"), "*") for action in ON_EC2]
    for action, resource in needed:
        if not any(_covers(s, action, resource) for s in allowed):
            found.append(f"it does not allow {action} on {resource}")
    return found


def create(cloud: Cloud, bucket: str) -> None:
    """Make the role, or complete one that an earlier call made.

    Raises RefusedError when there is a role of this name that is not ours: it is not touched.
    """
    try:
        cloud.iam.create_role(
            RoleName=NAME,
            AssumeRolePolicyDocument=json.dumps(trust()),
            Description="Lets VM Import read the disks that nitro uploads",
            Tags=tags.as_tag_set({tags.OWNER: tags.OWNER_VALUE, "Name": NAME}),
        )
    except ApiError as error:
        if error.code != "EntityAlreadyExists":
            raise
        _require_ours(cloud, bucket)
    cloud.iam.put_role_policy(
        RoleName=NAME,
        PolicyName=f"{POLICY}-{bucket}",
        PolicyDocument=json.dumps(permissions(cloud, bucket)),
    )


def bucket_arn(cloud: Cloud, bucket: str) -> str:
    partition = cloud.session.get_partition_for_region(cloud.region)
    return f"arn:{partition}:s3:::{bucket}"


def _require_ours(cloud: Cloud, bucket: str) -> None:
    role = cloud.iam.get_role(RoleName=NAME)["Role"]
    if not tags.ours(tags.from_list(role.get("Tags"))):
        raise RefusedError(
            f"the role {NAME} was not created by nitro, so it is not changed",
            hint=f"let it read {bucket_arn(cloud, bucket)} and its objects: see docs/aws.md",
        )


def _policies(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """The documents of all the role's policies, inline and attached."""
    inline = cloud.iam.get_paginator("list_role_policies").paginate(RoleName=NAME)
    for name in (name for page in inline for name in page["PolicyNames"]):
        yield _parsed(cloud.iam.get_role_policy(RoleName=NAME, PolicyName=name)["PolicyDocument"])
    attached = cloud.iam.get_paginator("list_attached_role_policies").paginate(RoleName=NAME)
    for policy in (policy for page in attached for policy in page["AttachedPolicies"]):
        arn = policy["PolicyArn"]
        version = cloud.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = cloud.iam.get_policy_version(PolicyArn=arn, VersionId=version)
        yield _parsed(found["PolicyVersion"]["Document"])


def _parsed(document: object) -> dict[str, Any]:
    """A policy document, whose JSON botocore has parsed, for all that its types say."""
    return cast("dict[str, Any]", document)


def _allowing(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A policy's Allow statements."""
    return [s for s in _listed(document.get("Statement")) if s.get("Effect") == "Allow"]


def _trusts_import(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service")) if isinstance(principal, dict) else []
    conditions = statement.get("Condition", {})
    ids = conditions.get("StringEquals", {}).get("sts:ExternalId", "vmimport")
    return SERVICE in services and "vmimport" in _listed(ids)


def _covers(statement: dict[str, Any], action: str, resource: str) -> bool:
    return any(
        fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(statement.get("Action"))
    ) and any(
        pattern == "*" or fnmatchcase(resource, pattern)
        for pattern in _listed(statement.get("Resource"))
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
