"""The checks before anything is begun."""

from __future__ import annotations

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.check import Check
from nitro.cloud import Cloud, doctor, storage
from tests.cloud.conftest import REGION, connect, everything, recorded, refuse
from tests.cloud.policed import make_role
from tests.unit.cli.runner import nitro_

AWS = ("--cloud", "aws", "--region", REGION)


def examined(cloud: Cloud, *, vcpus: float | None = None) -> dict[str, Check]:
    """`vcpus` is a quota that the local Nitro does not have."""

    def answer(**_):
        body = {"Quota": {"Value": vcpus}, "ResponseMetadata": {"HTTPStatusCode": 200}}
        return AWSResponse("", 200, HTTPHeaders(), None), body

    if vcpus is not None:
        cloud.session.events.register("before-call.service-quotas.GetServiceQuota", answer)
    return {check.name: check for check in doctor.examine(cloud)}


@pytest.mark.extended
def test_a_ready_account_passes(cloud: Cloud) -> None:
    checks = examined(cloud)
    assert [name for name, check in checks.items() if not check.ok] == []
    assert list(checks) == [
        "credentials",
        "region",
        "permissions",
        "direct snapshots",
        "bucket",
        "role vmimport",
        "subnet",
        "encryption",
        "vCPU quota",
    ]
    assert checks["credentials"].detail.startswith("arn:aws:sts::123456789012:")
    assert checks["bucket"].detail == f"{storage.own_bucket_name(cloud)} will be created"
    assert all(check.remedy == "" for check in checks.values())


@pytest.mark.extended
def test_it_changes_nothing(cloud: Cloud) -> None:
    calls = recorded(cloud)
    examined(cloud)
    (asked,) = [call for call in calls if call.changes]  # which EBS cannot but refuse
    assert asked.params["ParentSnapshotId"] == "snap-00000000000000000"
    assert everything(connect())["snapshots"] == []
    assert any(call.params.get("DryRun") for call in calls)


def test_without_credentials_nothing_else_is_asked(cloud: Cloud) -> None:
    refuse(cloud, "sts.GetCallerIdentity", "ExpiredToken", status=403)
    checks = examined(cloud)
    assert list(checks) == ["credentials"]
    assert not checks["credentials"].ok
    assert "log in again" in checks["credentials"].remedy


def test_denied_actions_are_named(cloud: Cloud) -> None:
    for operation in ("RegisterImage", "CreateSecurityGroup"):
        refuse(cloud, f"ec2.{operation}", "UnauthorizedOperation", status=403)
    check = examined(cloud)["permissions"]
    assert check.detail == "denied: ec2:RegisterImage, ec2:CreateSecurityGroup"
    assert "docs/aws.md" in check.remedy


def test_each_route_is_told_what_it_needs(cloud: Cloud) -> None:
    detail = examined(cloud)["direct snapshots"].detail
    assert detail.startswith("allowed: ebs:StartSnapshot")
    assert "ebs:PutSnapshotBlock" in detail
    denied = connect()
    refuse(denied, "ebs.StartSnapshot", "AccessDeniedException", status=403)
    check = examined(denied)["direct snapshots"]
    assert check.ok  # the other route is there
    assert check.detail.startswith("denied: ebs:StartSnapshot")


@pytest.mark.extended
def test_nothing_is_asked_about_resources_that_do_not_exist(cloud: Cloud) -> None:
    calls = recorded(cloud)
    examined(cloud)
    asked = {call.operation for call in calls if call.params.get("DryRun")}
    assert asked == {"ImportSnapshot", "RegisterImage", "CreateSecurityGroup"}


@pytest.mark.extended
def test_checks_say_what_they_leave_open(cloud: Cloud) -> None:
    checks = examined(cloud)
    assert "others show only when they are used" in checks["permissions"].detail
    assert "those that run now included" in checks["vCPU quota"].detail
    assert checks["encryption"].detail == "EBS encryption by default is off"
    cloud.ec2.meta.events.register(
        "after-call.ec2.GetEbsEncryptionByDefault",
        lambda parsed, **_: parsed.update(EbsEncryptionByDefault=True),
    )
    assert "a customer managed key must let" in examined(cloud)["encryption"].detail


@pytest.mark.extended
def test_the_given_subnet_is_the_one_that_is_looked_at(cloud: Cloud) -> None:
    vpc = connect().ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    own = connect().ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/28")["Subnet"]["SubnetId"]
    found = {check.name: check for check in doctor.examine(cloud, subnet_id=own)}["subnet"]
    assert found.detail.startswith(own)
    assert found.detail.endswith("instances get no public address")


def test_a_missing_role_is_seen_and_made(bare_cloud: Cloud) -> None:
    check = examined(bare_cloud)["role vmimport"]
    assert (check.ok, check.detail) == (False, "there is no role vmimport")
    assert "--create-role" in check.remedy
    make_role(bare_cloud)
    assert examined(connect())["role vmimport"].ok


def test_roles_that_may_not_be_read_do_not_hide_the_other_checks(cloud: Cloud) -> None:
    refuse(cloud, "iam.GetRole", "AccessDenied", status=403)
    checks = examined(cloud)
    assert checks["role vmimport"].detail == "permission denied: iam:GetRole"
    assert checks["subnet"].ok


def test_a_region_that_is_not_enabled_is_seen(cloud: Cloud) -> None:
    def close(parsed, **_) -> None:
        parsed["Regions"][0]["OptInStatus"] = "not-opted-in"

    cloud.session.events.register("after-call.ec2.DescribeRegions", close)
    check = examined(cloud)["region"]
    assert (check.ok, check.detail) == (False, "eu-central-1 is not-opted-in")


@pytest.mark.parametrize(("vcpus", "ok"), [(0.0, False), (3.0, False), (4.0, True)])
def test_a_quota_too_small_for_two_instances_is_seen(cloud: Cloud, vcpus: float, ok: bool) -> None:
    assert examined(cloud, vcpus=vcpus)["vCPU quota"].ok is ok


@pytest.mark.extended
def test_the_quota_is_the_one_that_launches_are_held_to(cloud: Cloud) -> None:
    assert examined(cloud)["vCPU quota"].detail.startswith("1152 vCPUs of standard instances")


def test_a_region_without_the_quota_is_no_problem(cloud: Cloud) -> None:
    refuse(cloud, "service-quotas.GetServiceQuota", "NoSuchResourceException")
    quota = {check.name: check for check in doctor.examine(cloud)}["vCPU quota"]
    assert quota.ok
    assert "no quota" in quota.detail


@pytest.mark.extended
def test_a_quota_that_may_not_be_read_is_a_problem(cloud: Cloud) -> None:
    refuse(cloud, "service-quotas.GetServiceQuota", "AccessDeniedException")
    quota = {check.name: check for check in doctor.examine(cloud)}["vCPU quota"]
    assert not quota.ok
    assert "permission denied: service-quotas:GetServiceQuota" in quota.detail


@pytest.mark.policies("deploy", "role")
def test_doctor_creates_the_role(bare_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: [])
    nitro_("doctor", "--create-role", *AWS)
    assert bare_cloud.iam.get_role(RoleName="vmimport")


def test_an_account_that_is_not_told_is_no_failure_of_its_own(
    bare_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks of `doctor` say why."""
    refused = connect()
    refuse(refused, "sts.GetCallerIdentity", "ExpiredToken", status=403)
    monkeypatch.setattr(Cloud, "connect", lambda **_: refused)
    done = nitro_("doctor", *AWS, code=1)
    assert "cloud: aws, account unknown" in done.stderr
    assert "BAD  credentials: " in done.stdout
