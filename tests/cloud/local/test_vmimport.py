"""Which roles VM Import may assume."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.local.aws import vmimport

from .conftest import Account, policy

TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "vmie.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "vmimport"}},
}
ACCOUNT = ("123456789012", "aws")


def test_the_documented_role_is_usable(account: Account) -> None:
    account.iam.create_role(RoleName="importer", AssumeRolePolicyDocument=policy(TRUST))
    assert vmimport.usable(*ACCOUNT, "importer")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Condition": {"StringEquals": {"sts:ExternalId": "other"}}},
        {"Condition": {}},
        {"Effect": "Deny"},
    ],
)
def test_a_role_with_other_trust_is_not(account: Account, wrong: dict[str, Any]) -> None:
    document = policy({**TRUST, **wrong})
    account.iam.create_role(RoleName="importer", AssumeRolePolicyDocument=document)
    assert not vmimport.usable(*ACCOUNT, "importer")


def test_managed_policies_count(account: Account) -> None:
    account.iam.create_role(RoleName="importer", AssumeRolePolicyDocument=policy(TRUST))
    assert not vmimport.may(*ACCOUNT, "importer", "s3:GetObject", "arn:aws:s3:::a/b")
    read = policy({"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::a/*"]})
    created = account.iam.create_policy(PolicyName="read", PolicyDocument=read)
    account.iam.attach_role_policy(RoleName="importer", PolicyArn=created["Policy"]["Arn"])
    assert vmimport.may(*ACCOUNT, "importer", "s3:GetObject", "arn:aws:s3:::a/b")
    assert not vmimport.may(*ACCOUNT, "importer", "s3:GetObject", "arn:aws:s3:::c/b")
    assert not vmimport.may(*ACCOUNT, "importer", "ec2:RunInstances", "arn:aws:s3:::a/b")


def test_no_role_may_nothing(account: Account) -> None:
    assert not vmimport.may(*ACCOUNT, "nobody", "s3:GetObject", "arn:aws:s3:::a/b")
