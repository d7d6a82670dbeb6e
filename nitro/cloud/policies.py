"""The IAM policies that nitro's commands need: every call that they make, and no more.

Which resources and condition keys an action knows is from AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/; tests hold the policies
against it, and run every command of the cloud behind an evaluator of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nitro.cloud import tags
from nitro.cloud.scope import Scope, Statement
from nitro.cloud.scope import allow as _allow
from nitro.errors import InputError

__all__ = ["POLICIES", "Scope", "document"]

_REQUESTED = {"StringEquals": {f"aws:RequestTag/{tags.OWNER}": tags.OWNER_VALUE}}
_OURS = {"StringEquals": {f"aws:ResourceTag/{tags.OWNER}": tags.OWNER_VALUE}}

# The calls that tag what they create.
_CREATING = (
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "ImportSnapshot",
    "RegisterImage",
    "RunInstances",
)


def document(name: str, scope: Scope) -> dict[str, Any]:
    """The policy of that name, as IAM takes it. Raises InputError for an unknown one."""
    if name not in POLICIES:
        raise InputError(f"no policy {name!r}", hint=f"choose one of {', '.join(POLICIES)}")
    return {"Version": "2012-10-17", "Statement": POLICIES[name](scope)}


def _deploy(scope: Scope) -> list[Statement]:
    """`parameters` are those that AMIs to launch are named by; without them, none may be read."""
    names = scope.parameters
    find = [_allow("FindAmi", ["ssm:GetParameter"], scope.ssm(*names))] if names else []
    return [
        *find,
        _allow(
            "Look",
            [
                "ec2:DescribeImages",
                "ec2:DescribeImportSnapshotTasks",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribePlacementGroups",
                "ec2:DescribeRegions",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSnapshots",
                "ec2:DescribeSubnets",
                "ec2:DescribeVolumes",
                "ec2:GetEbsEncryptionByDefault",
                "servicequotas:GetServiceQuota",
            ],
            "*",
        ),
        _allow(
            "CreateTagged",
            [
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:ImportSnapshot",
                "ec2:RegisterImage",
                "ec2:RunInstances",
            ],
            scope.ec2(
                "image",
                "import-snapshot-task",
                "instance",
                "network-interface",
                "security-group",
                "security-group-rule",
                "volume",
            ),
            _REQUESTED,
        ),
        _allow(
            "CreateFrom",
            ["ec2:CreateSecurityGroup", "ec2:ImportSnapshot", "ec2:RegisterImage"],
            scope.ec2("snapshot", "vpc"),
        ),
        _allow(
            "LaunchIn",
            ["ec2:RunInstances"],
            scope.ec2("placement-group", "security-group", "snapshot", "subnet"),
        ),
        _allow("LaunchOurs", ["ec2:RunInstances"], scope.ec2("image"), _OURS),
        _allow(
            "TagOnCreation",
            ["ec2:CreateTags"],
            scope.ec2("*", "image"),
            {"StringEquals": {"ec2:CreateAction": list(_CREATING)}},
        ),
        _allow("TagSnapshot", ["ec2:CreateTags"], scope.ec2("snapshot"), _REQUESTED),
        _allow(
            "ChangeOurs",
            [
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CancelImportTask",
                "ec2:DeleteNetworkInterface",
                "ec2:DeletePlacementGroup",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteVolume",
                "ec2:DeregisterImage",
                "ec2:GetConsoleOutput",
                "ec2:TerminateInstances",
            ],
            "*",
            _OURS,
        ),
        # The snapshot of an interrupted import has no tags yet.
        _allow("DeleteSnapshot", ["ec2:DeleteSnapshot"], scope.ec2("snapshot")),
        _allow("StartSnapshot", ["ebs:StartSnapshot"], scope.ec2("snapshot"), _REQUESTED),
        _allow(
            "WriteBlocks",
            ["ebs:CompleteSnapshot", "ebs:PutSnapshotBlock"],
            scope.ec2("snapshot"),
            _OURS,
        ),
        _allow(
            "ReadBack",
            ["ebs:GetSnapshotBlock", "ebs:ListSnapshotBlocks"],
            scope.ec2("snapshot"),
            _OURS,
        ),
        _allow(
            "Bucket",
            [
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:TagResource",
            ],
            scope.bucket_arn,
        ),
        _allow(
            "Objects",
            [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:GetObjectTagging",
                "s3:PutObject",
                "s3:PutObjectTagging",
            ],
            f"{scope.bucket_arn}/*",
        ),
        _allow(
            "SeeRole",
            [
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            ],
            [*scope.iam("role/vmimport", "policy/*"), f"arn:{scope.partition}:iam::aws:policy/*"],
        ),
    ]


def _gc(scope: Scope) -> list[Statement]:
    return [
        _allow(
            "Look",
            [
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeLaunchConfigurations",
                "ec2:DescribeFleets",
                "ec2:DescribeImages",
                "ec2:DescribeImportSnapshotTasks",
                "ec2:DescribeInstances",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:DescribeLaunchTemplates",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribePlacementGroups",
                "ec2:DescribeRegions",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSnapshots",
                "ec2:DescribeSpotFleetRequests",
                "ec2:DescribeSpotInstanceRequests",
                "ec2:DescribeVolumes",
                "ssm:DescribeParameters",
            ],
            "*",
        ),
        _allow("SeeSharing", ["ec2:DescribeImageAttribute"], scope.ec2("image"), _OURS),
        # The snapshot of an interrupted import has no tags yet.
        _allow("SeeSharedSnapshot", ["ec2:DescribeSnapshotAttribute"], scope.ec2("snapshot")),
        _allow("ReadParameters", ["ssm:GetParameters"], scope.ssm("*")),
        _allow(
            "RemoveOurs",
            [
                "ec2:DeleteNetworkInterface",
                "ec2:DeletePlacementGroup",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteVolume",
                "ec2:DeregisterImage",
                "ec2:TerminateInstances",
            ],
            "*",
            _OURS,
        ),
        # The snapshot of an interrupted import has no tags yet.
        _allow("DeleteSnapshot", ["ec2:DeleteSnapshot"], scope.ec2("snapshot")),
        _allow("Bucket", ["s3:ListBucket", "s3:ListBucketMultipartUploads"], scope.bucket_arn),
        _allow(
            "Objects",
            ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObjectTagging"],
            f"{scope.bucket_arn}/*",
        ),
    ]


def _publish(scope: Scope) -> list[Statement]:
    """What `publish`, `verify` and `rollback` call, and the use of keys that EBS makes for them."""
    return [
        _allow(
            "Look",
            [
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeLaunchConfigurations",
                "ec2:DescribeFleets",
                "ec2:DescribeImages",
                "ec2:DescribeImportSnapshotTasks",
                "ec2:DescribeInstances",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:DescribeLaunchTemplates",
                "ec2:DescribeSnapshots",
                "ec2:DescribeSpotFleetRequests",
                "ec2:DescribeSpotInstanceRequests",
                "ec2:GetEbsEncryptionByDefault",
                "ec2:GetImageBlockPublicAccessState",
                "ec2:GetSnapshotBlockPublicAccessState",
                "ssm:DescribeParameters",
            ],
            "*",
        ),
        _allow("StartSnapshot", ["ebs:StartSnapshot"], scope.ec2("snapshot"), _REQUESTED),
        _allow(
            "CreateTagged",
            ["ec2:ImportSnapshot", "ec2:RegisterImage"],
            scope.ec2("image", "import-snapshot-task"),
            _REQUESTED,
        ),
        _allow("CopyTagged", ["ec2:CopyImage"], scope.ec2("snapshot"), _REQUESTED),
        # CopyImage knows no tags of the image that it copies.
        _allow("CopyAny", ["ec2:CopyImage"], scope.ec2("image")),
        _allow("ImportAny", ["ec2:ImportSnapshot"], scope.ec2("snapshot")),
        _allow("RegisterOurs", ["ec2:RegisterImage"], scope.ec2("snapshot"), _OURS),
        _allow(
            "TagOnCreation",
            ["ec2:CreateTags"],
            scope.ec2("image", "import-snapshot-task"),
            {
                "StringEquals": {
                    "ec2:CreateAction": ["CopyImage", "ImportSnapshot", "RegisterImage"]
                }
            },
        ),
        # The snapshot of an import has no tags yet.
        _allow("TagSnapshot", ["ec2:CreateTags"], scope.ec2("snapshot"), _REQUESTED),
        _allow("TagOurs", ["ec2:CreateTags"], scope.ec2("image", "snapshot"), _OURS),
        _allow(
            "SettleOurs",
            [
                "ebs:CompleteSnapshot",
                "ebs:GetSnapshotBlock",
                "ebs:ListSnapshotBlocks",
                "ebs:PutSnapshotBlock",
                "ec2:DeleteSnapshot",
                "ec2:DeregisterImage",
                "ec2:DescribeImageAttribute",
                "ec2:DescribeSnapshotAttribute",
                "ec2:DisableImageDeprecation",
                "ec2:DisableImageDeregistrationProtection",
                "ec2:EnableImageDeprecation",
                "ec2:EnableImageDeregistrationProtection",
                "ec2:ModifyImageAttribute",
                "ec2:ModifySnapshotAttribute",
            ],
            scope.ec2("image", "snapshot"),
            _OURS,
        ),
        _allow(
            "Parameters",
            ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
            scope.ssm(*scope.parameters or ["*"]),
        ),
        _allow(
            "UseKeys",
            [
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            scope.kms("key/*"),
        ),
        _allow(
            "Bucket",
            [
                "s3:CreateBucket",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:TagResource",
            ],
            scope.bucket_arn,
        ),
        _allow(
            "Objects",
            [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:PutObject",
                "s3:PutObjectTagging",
            ],
            f"{scope.bucket_arn}/*",
        ),
    ]


def _bench(scope: Scope) -> list[Statement]:
    """What `nitro bench` calls beside what a deployment does. `bucket` is the record's."""
    return [
        _allow("Record", ["s3:ListBucket"], scope.bucket_arn),
        _allow(
            "Samples",
            ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            f"{scope.bucket_arn}/*",
        ),
        _allow(
            "Jobs",
            ["batch:DescribeJobDefinitions", "batch:DescribeJobQueues", "batch:ListJobs"],
            "*",
        ),
        _allow(
            "Submit",
            ["batch:SubmitJob", "batch:TerminateJob"],
            [scope.batch(f"{kind}/*") for kind in ("job", "job-definition", "job-queue")],
        ),
        _allow("Prices", ["pricing:GetProducts"], "*"),
        _allow("LaunchOthers", ["ec2:RunInstances"], scope.ec2("image")),
        _allow("Spot", ["ec2:RunInstances"], scope.ec2("spot-instances-request")),
        _allow("Cluster", ["ec2:CreatePlacementGroup"], scope.ec2("placement-group"), _REQUESTED),
        _allow(
            "TagCluster",
            ["ec2:CreateTags"],
            scope.ec2("placement-group"),
            {"StringEquals": {"ec2:CreateAction": ["CreatePlacementGroup"]}},
        ),
        _allow("Tell", ["sns:Publish"], f"arn:{scope.partition}:sns:*:{scope.account}:*"),
    ]


def _role(scope: Scope) -> list[Statement]:
    actions = ["iam:CreateRole", "iam:GetRole", "iam:PutRolePolicy", "iam:TagRole"]
    return [_allow("MakeRole", actions, scope.iam("role/vmimport"))]


#: name → what makes its statements
POLICIES: Mapping[str, Callable[[Scope], list[Statement]]] = {
    "bench": _bench,
    "deploy": _deploy,
    "gc": _gc,
    "publish": _publish,
    "role": _role,
}
