"""SSM parameters that name images, and launches by them."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code

NAME = "/images/web"


def put(account: Account, value: str, **options: Any) -> Any:
    given = {"Type": "String", "DataType": "aws:ec2:image", **options}
    answer = account.ssm.put_parameter(Name=NAME, Value=value, **given)
    account.clock.advance(account.site.pace.validate_parameter)
    return answer


def value(account: Account, name: str = NAME) -> str:
    return str(account.ssm.get_parameter(Name=name)["Parameter"]["Value"])


@pytest.fixture
def image(account: Account) -> str:
    return account.image(account.snapshot())


@pytest.mark.extended
def test_a_value_counts_when_its_image_has_been_found(account: Account, image: str) -> None:
    given = {"Name": NAME, "Value": image, "Type": "String", "DataType": "aws:ec2:image"}
    assert account.ssm.put_parameter(**given)["Version"] == 1
    assert error_code(lambda: value(account)) == "ParameterNotFound"
    account.clock.advance(account.site.pace.validate_parameter)
    found = account.ssm.get_parameter(Name=NAME)["Parameter"]
    assert (found["Value"], found["Version"], found["DataType"]) == (image, 1, "aws:ec2:image")


@pytest.mark.parametrize("wrong", ["ami-00000000000000000", "nothing like an id"])
def test_a_value_without_its_image_is_accepted_and_changes_nothing(
    account: Account, image: str, wrong: str
) -> None:
    put(account, image)
    assert put(account, wrong, Overwrite=True)["Version"] == 2
    assert value(account) == image
    history = account.ssm.get_parameter_history(Name=NAME)["Parameters"]
    assert [each["Value"] for each in history] == [image]


@pytest.mark.extended
def test_an_image_that_is_not_available_does_not_count(account: Account, image: str) -> None:
    copied = account.ec2.copy_image(SourceRegion=account.region, SourceImageId=image, Name="copy")
    put(account, copied["ImageId"])
    assert error_code(lambda: value(account)) == "ParameterNotFound"
    account.clock.advance(account.site.pace.copy_snapshot)
    put(account, copied["ImageId"])
    assert value(account) == copied["ImageId"]


@pytest.mark.extended
def test_an_image_of_another_region_does_not_count(account: Account, image: str) -> None:
    other = account.there("eu-west-1")
    put(other, image)
    assert error_code(lambda: value(other)) == "ParameterNotFound"


def test_versions_labels_and_tags_are_kept(account: Account, image: str) -> None:
    tags = [{"Key": "stage", "Value": "beta"}]
    put(account, image, Tags=tags)
    second = account.image(account.image_snapshot(image), "second")
    put(account, second, Overwrite=True)
    account.ssm.label_parameter_version(Name=NAME, ParameterVersion=1, Labels=["before"])
    assert value(account) == second
    assert value(account, f"{NAME}:1") == value(account, f"{NAME}:before") == image
    asked = {"ResourceType": "Parameter", "ResourceId": NAME}
    assert account.ssm.list_tags_for_resource(**asked)["TagList"] == tags
    listed = account.ssm.get_parameters(Names=[NAME, "/none"])
    assert [each["Value"] for each in listed["Parameters"]] == [second]
    assert listed["InvalidParameters"] == ["/none"]


def test_what_put_refuses(account: Account, image: str) -> None:
    put(account, image)
    assert error_code(lambda: put(account, image)) == "ParameterAlreadyExists"
    both = {"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}
    assert error_code(lambda: put(account, image, **both)) == "ValidationException"
    assert error_code(lambda: put(account, image, Type="StringList")) == "ValidationException"
    code = error_code(lambda: put(account, image, Overwrite=True, Policies="[]"))
    assert code == "UnsupportedOperation"
    assert value(account) == image


def test_a_launch_finds_its_image_by_the_parameter(account: Account, image: str) -> None:
    put(account, image)
    second = account.image(account.image_snapshot(image), "second")
    put(account, second, Overwrite=True)
    account.ssm.label_parameter_version(Name=NAME, ParameterVersion=1, Labels=["stable"])
    assert account.run(f"resolve:ssm:{NAME}")["ImageId"] == second
    for name in (f"{NAME}:1", f"{NAME}:stable"):
        assert account.run(f"resolve:ssm:{name}")["ImageId"] == image
    for name in ("/none", f"{NAME}:9", f"{NAME}:none"):
        code = error_code(lambda n=name: account.run(f"resolve:ssm:{n}"))  # type: ignore[misc]
        assert code == "InvalidParameterValue"


def test_values_that_wait_together_are_versions_one_after_the_other(
    account: Account, image: str
) -> None:
    put(account, image)
    given = {"Name": NAME, "Type": "String", "DataType": "aws:ec2:image", "Overwrite": True}
    for _ in range(2):
        account.ssm.put_parameter(Value=image, **given)
    account.clock.advance(account.site.pace.validate_parameter)
    history = account.ssm.get_parameter_history(Name=NAME)["Parameters"]
    assert [each["Version"] for each in history] == [1, 2, 3]
