"""The role of VM Import."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nitro.cloud import Cloud, role
from nitro.errors import RefusedError

pytestmark = pytest.mark.policies("deploy", "role")

BUCKET = "nitro-123456789012-eu-central-1"


def make(cloud: Cloud, trust: dict[str, Any], policy: dict[str, Any] | None = None) -> None:
    cloud.iam.create_role(RoleName=role.NAME, AssumeRolePolicyDocument=json.dumps(trust))
    if policy:
        cloud.iam.put_role_policy(
            RoleName=role.NAME, PolicyName="theirs", PolicyDocument=json.dumps(policy)
        )


def test_what_we_make_is_right(bare_cloud: Cloud) -> None:
    assert role.problems(bare_cloud, BUCKET) == ["there is no role vmimport"]
    role.create(bare_cloud, BUCKET)
    assert role.problems(bare_cloud, BUCKET) == []
    role.create(bare_cloud, BUCKET)
    assert role.problems(bare_cloud, BUCKET) == []


@pytest.mark.extended
def test_it_reads_one_bucket_only(bare_cloud: Cloud) -> None:
    role.create(bare_cloud, BUCKET)
    assert "it does not allow s3:GetObject on arn:aws:s3:::other/images/any.raw" in role.problems(
        bare_cloud, "other"
    )


def test_a_role_of_others_is_judged_and_left_alone(bare_cloud: Cloud) -> None:
    make(bare_cloud, role.trust(), role.permissions(bare_cloud, "theirs"))
    assert any("s3:GetObject" in problem for problem in role.problems(bare_cloud, BUCKET))
    with pytest.raises(RefusedError, match="was not created by nitro"):
        role.create(bare_cloud, BUCKET)
    assert bare_cloud.iam.list_role_policies(RoleName=role.NAME)["PolicyNames"] == ["theirs"]


def test_wild_cards_and_attached_policies_count(bare_cloud: Cloud) -> None:
    make(bare_cloud, role.trust())
    everything = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["s3:*", "EC2:*"], "Resource": "*"},
    }
    arn = bare_cloud.iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(everything))[
        "Policy"
    ]["Arn"]
    assert role.problems(bare_cloud, BUCKET)
    bare_cloud.iam.attach_role_policy(RoleName=role.NAME, PolicyArn=arn)
    assert role.problems(bare_cloud, BUCKET) == []


@pytest.mark.parametrize("change", ["service", "external id"])
def test_a_role_that_vm_import_cannot_assume_is_seen(bare_cloud: Cloud, change: str) -> None:
    trust = role.trust()
    (statement,) = trust["Statement"]
    if change == "service":
        statement["Principal"] = {"Service": "ec2.amazonaws.com"}
    else:
        statement["Condition"]["StringEquals"]["sts:ExternalId"] = "other"
    make(bare_cloud, trust, role.permissions(bare_cloud, BUCKET))
    (problem,) = role.problems(bare_cloud, BUCKET)
    assert "does not let vmie.amazonaws.com assume it" in problem


@pytest.mark.extended
def test_a_second_region_leaves_the_role_of_the_first_as_it_is(bare_cloud: Cloud) -> None:
    role.create(bare_cloud, BUCKET)
    role.create(bare_cloud, "nitro-123456789012-us-west-2")
    assert role.problems(bare_cloud, BUCKET) == []
    assert role.problems(bare_cloud, "nitro-123456789012-us-west-2") == []


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("action", [*role.ON_BUCKET, *role.ON_OBJECTS, *role.ON_EC2])
def test_each_missing_permission_is_named(bare_cloud: Cloud, action: str) -> None:
    policy = role.permissions(bare_cloud, BUCKET)
    for statement in policy["Statement"]:
        statement["Action"] = [known for known in statement["Action"] if known != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    make(bare_cloud, role.trust(), policy)
    (problem,) = role.problems(bare_cloud, BUCKET)
    assert f"does not allow {action.replace('*', 'Snapshots')} on" in problem


def test_a_statement_that_denies_allows_nothing(bare_cloud: Cloud) -> None:
    policy = role.permissions(bare_cloud, BUCKET)
    for statement in policy["Statement"]:
        statement["Effect"] = "Deny"
    make(bare_cloud, role.trust(), policy)
    assert len(role.problems(bare_cloud, BUCKET)) == 7


def test_trust_without_an_external_id_is_good(bare_cloud: Cloud) -> None:
    trust = role.trust()
    del trust["Statement"][0]["Condition"]
    make(bare_cloud, trust, role.permissions(bare_cloud, BUCKET))
    assert role.problems(bare_cloud, BUCKET) == []
