"""Placement groups, and instances in them."""

from __future__ import annotations

from .conftest import Account, error_code


def test_a_group_is_made_described_used_and_deleted(account: Account) -> None:
    ec2 = account.ec2
    made = ec2.create_placement_group(GroupName="near", Strategy="cluster")["PlacementGroup"]
    assert made["GroupId"].startswith("pg-")
    assert ec2.describe_placement_groups(GroupNames=["near"])["PlacementGroups"] == [made]
    filters = [{"Name": "strategy", "Values": ["spread"]}]
    assert not ec2.describe_placement_groups(Filters=filters)["PlacementGroups"]
    image = account.image(account.snapshot())
    instance = account.run(image, Placement={"GroupName": "near"})
    found = account.instance(instance["InstanceId"])
    assert found["Placement"]["GroupName"] == "near"
    code = error_code(lambda: ec2.delete_placement_group(GroupName="near"))
    assert code == "InvalidPlacementGroup.InUse"
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    account.instance(instance["InstanceId"])
    ec2.delete_placement_group(GroupName="near")
    assert not ec2.describe_placement_groups()["PlacementGroups"]


def test_what_does_not_fit_is_refused(account: Account) -> None:
    ec2 = account.ec2
    ec2.create_placement_group(GroupName="near", Strategy="cluster")
    image = account.image(account.snapshot())
    for call, code in (
        (lambda: ec2.create_placement_group(GroupName="near", Strategy="cluster"),
         "InvalidPlacementGroup.Duplicate"),
        (lambda: ec2.delete_placement_group(GroupName="none"), "InvalidPlacementGroup.Unknown"),
        (lambda: account.run(image, Placement={"GroupName": "none"}),
         "InvalidPlacementGroup.Unknown"),
        (lambda: account.run(image, InstanceType="t3.micro", Placement={"GroupName": "near"}),
         "InvalidParameterCombination"),
    ):  # fmt: skip
        assert error_code(call) == code
