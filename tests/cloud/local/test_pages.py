"""Pages of what is listed by the hundreds."""

from __future__ import annotations

import pytest

from .conftest import Account, error_code


@pytest.mark.extended
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


@pytest.mark.extended
def test_pages_hold_every_record_once(account: Account) -> None:
    snapshot = account.snapshot()
    images = {account.image(snapshot, f"image-{number}") for number in range(12)}
    pages = account.ec2.get_paginator("describe_images").paginate(
        Owners=["self"], PaginationConfig={"PageSize": 5}
    )
    found = [[image["ImageId"] for image in page["Images"]] for page in pages]
    assert [len(page) for page in found] == [5, 5, 2]
    assert {image for page in found for image in page} == images


def test_a_token_belongs_to_its_request(account: Account) -> None:
    snapshot = account.snapshot()
    for number in range(6):
        account.image(snapshot, f"image-{number}")
    token = account.ec2.describe_images(Owners=["self"], MaxResults=5)["NextToken"]
    code = error_code(lambda: account.ec2.describe_images(MaxResults=5, NextToken=token))
    assert code == "InvalidNextToken"


@pytest.mark.extended
def test_more_than_a_hundred_instances_are_all_listed(account: Account) -> None:
    image = account.image(account.snapshot())
    for _ in range(101):
        account.run(image)
    assert len(account.ec2.describe_instances()["Reservations"]) == 101
