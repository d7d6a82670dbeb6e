"""What nitro makes of AWS's answers about the role of VM Import and the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nitro.cloud import Cloud, cost, doctor, role
from tests.cloud.answers import DENIED, FAILED, Answering, Refused, tagged

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
NO_BUCKET = Refused("404", status=404)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def test_the_role(aws: Answering) -> None:
    trust = role.trust()["Statement"][0]
    everything = policy(allow(["S3:*", "ec2:*"], "*"))
    exact = [
        allow("s3:GetBucketLocation", "arn:aws:s3:::mine"),
        allow(["s3:ListBucket", "s3:x"], ["arn:aws:s3:::other", "arn:aws:s3:::m*"]),
        allow("s3:GetObject", "arn:aws:s3:::mine/images/*"),
    ]

    def answers(trust: Any, inline: Any = None, attached: Any = None, tag_list: Any = ()) -> Any:
        inner = {
            "Role": {"AssumeRolePolicyDocument": json.dumps(policy(*trust)), "Tags": list(tag_list)}
        }
        return {
            "GetRole": inner,
            "ListRolePolicies": [
                {"PolicyNames": [], "IsTruncated": True, "Marker": "2"},
                {"PolicyNames": ["p"] if inline else []},
            ],
            "GetRolePolicy": {"PolicyDocument": json.dumps(inline)},
            "ListAttachedRolePolicies": [
                {"AttachedPolicies": [], "IsTruncated": True, "Marker": "2"},
                {
                    "AttachedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/p"}]
                    if attached
                    else []
                },
            ],
            "GetPolicy": {"Policy": {"DefaultVersionId": "v3"}},
            "GetPolicyVersion": {"PolicyVersion": {"Document": json.dumps(attached)}},
        }

    def trusting(**more: Any) -> list[dict[str, Any]]:
        return [{**trust, **more}]

    condition = {"StringEquals": {"sts:ExternalId": ["x", "vmimport"]}}
    for title, given in {
        "nothing allowed": answers([trust]),
        "all allowed": answers([trust], everything),
        "all attached": answers([trust], None, everything),
        "exact": answers([trust], policy(*exact), policy(allow("ec2:Describe*", "*"))),
        "denied": answers([trust], policy(allow("*", "*", "Deny"))),
        "one statement": answers([trust], {"Statement": allow("*", ["x", "*"])}),
        "no statement": answers([trust], {}),
        "trusts nobody": answers([], everything),
        "trusts everybody": answers(trusting(Principal="*"), everything),
        "trusts another": answers(
            trusting(Principal={"Service": ["ec2.amazonaws.com"]}), everything
        ),
        "trusts two": answers(trusting(Principal={"Service": ["x", role.SERVICE]}), everything),
        "trusts an account": answers(trusting(Principal={"AWS": "1"}), everything),
        "denies": answers(trusting(Effect="Deny"), everything),
        "no condition": answers(trusting(Condition={}), everything),
        "other condition": answers(trusting(Condition={"StringLike": {}}), everything),
        "ids": answers(trusting(Condition=condition), everything),
        "other id": answers(
            trusting(Condition={"StringEquals": {"sts:ExternalId": "x"}}), everything
        ),
    }.items():
        aws.case(title, role.problems, given, "mine")
    for code in ("NoSuchEntity", "AccessDenied"):
        aws.case(code, role.problems, {"GetRole": Refused(code)}, "mine")
    made: Any = {"CreateRole": {}, "PutRolePolicy": {}}
    exists = made | {"CreateRole": Refused("EntityAlreadyExists")}
    aws.case("made", role.create, made, "mine")
    aws.case("in China", role.create, made, "mine", region="cn-north-1")
    aws.case("completed", role.create, exists | answers([trust], tag_list=tagged()), "mine")
    aws.case("theirs", role.create, exists | answers([trust]), "mine")
    aws.case("refused", role.create, made | {"CreateRole": DENIED}, "mine")
    aws.compare("role")


def test_the_doctor(aws: Answering) -> None:
    would = Refused("DryRunOperation")
    subnet = {
        "SubnetId": "subnet-1",
        "VpcId": "vpc-1",
        "AvailabilityZone": "a",
        "AvailableIpAddressCount": 1,
        "MapPublicIpOnLaunch": True,
    }
    well: Any = {
        "DescribeRegions": {"Regions": [{"OptInStatus": "opted-in"}]},
        "ImportSnapshot": would,
        "RegisterImage": would,
        "CreateSecurityGroup": would,
        "StartSnapshot": Refused("ResourceNotFoundException"),
        "HeadBucket": {},
        "GetRole": Refused("NoSuchEntity"),
        "DescribeSubnets": {"Subnets": [subnet]},
        "GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": True},
        "GetServiceQuota": {"Quota": {"Value": 4.0}},
    }
    for title, more in {
        "well": {},
        "no credentials": {"GetCallerIdentity": Refused("InvalidClientTokenId")},
        "region of old": {"DescribeRegions": {"Regions": [{}]}},
        "region not enabled": {"DescribeRegions": {"Regions": [{"OptInStatus": "not-opted-in"}]}},
        "no region": {"DescribeRegions": {"Regions": []}},
        "one denied": {"RegisterImage": DENIED},
        "two denied": {"ImportSnapshot": DENIED, "CreateSecurityGroup": Refused("AccessDenied")},
        "direct denied": {"StartSnapshot": Refused("AccessDeniedException")},
        "direct made": {"StartSnapshot": {"SnapshotId": "snap-1"}},
        "no bucket": {"HeadBucket": NO_BUCKET},
        "private": {"DescribeSubnets": {"Subnets": [subnet | {"MapPublicIpOnLaunch": False}]}},
        "no subnet": {"DescribeSubnets": {"Subnets": []}},
        "subnet failed": {"DescribeSubnets": FAILED},
        "not encrypted": {"GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": False}},
        "quota of 3": {"GetServiceQuota": {"Quota": {"Value": 3.0}}},
        "no quota": {"GetServiceQuota": Refused("NoSuchResourceException")},
    }.items():
        aws.case(title, doctor.examine, well | more)
        if "bucket" in title:
            aws.case(f"{title}, mine", doctor.examine, well | more, "mine", "subnet-1")
    aws.compare("doctor")


def test_costs(aws: Answering) -> None:
    def of_snapshot(_: Cloud, *given: Any) -> object:
        return str(cost.of_snapshot(*given)), cost.of_snapshot(*given)

    def of_hour(_: Cloud, *given: Any) -> object:
        return round(cost.of_hour(*given), 9)

    def of_blocks(_: Cloud, *given: Any) -> object:
        return round(cost.of_blocks(*given), 12)

    cent = 1024**3 // 5
    for region in ("us-east-1", "eu-central-1"):
        for size in (0, cent, cent + 1, 1024**3, 20 * 1024**3):
            aws.case(f"{size} in {region}", of_snapshot, {}, size, region)
        for name in (*cost.HOUR_USD, "x1.large"):
            aws.case(f"{name} in {region}", of_hour, {}, name, region)
    for written, read in ((0, 0), (1, 0), (0, 1), (1000, 10)):
        aws.case(f"{written} written, {read} read", of_blocks, {}, written, read)
    aws.compare("costs")
