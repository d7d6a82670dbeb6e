"""Pages of what is listed by the hundreds."""

from __future__ import annotations

from .conftest import Account


def test_pages_of_types_are_all_of_them_once(account: Account) -> None:
    wanted = [{"Name": "instance-type", "Values": ["c5.*"]}]
    whole = account.ec2.describe_instance_types(Filters=wanted)["InstanceTypes"]
    pages = account.ec2.get_paginator("describe_instance_types").paginate(
        Filters=wanted, PaginationConfig={"PageSize": 5}
    )
    paged = [page["InstanceTypes"] for page in pages]
    assert [each for page in paged for each in page] == whole
    assert {len(page) for page in paged[:-1]} == {5}
    first = account.ec2.describe_instance_types(MaxResults=5)
    second = account.ec2.describe_instance_types(MaxResults=5, NextToken=first["NextToken"])
    names = [each["InstanceType"] for each in first["InstanceTypes"] + second["InstanceTypes"]]
    assert len(set(names)) == 10
    assert all(each["VCpuInfo"]["DefaultVCpus"] for each in second["InstanceTypes"])
