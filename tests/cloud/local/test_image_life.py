"""Deprecation, disabling, and protection from deregistration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.image_life import COOLDOWN

from .conftest import Account, error_code


@pytest.fixture
def image(account: Account) -> str:
    return account.image(account.snapshot())


def describe(account: Account, image: str) -> Any:
    (found,) = account.ec2.describe_images(ImageIds=[image])["Images"]
    return found


def deprecate(account: Account, image: str, days: float) -> None:
    when = datetime.now(UTC) + timedelta(days=days)
    account.ec2.enable_image_deprecation(ImageId=image, DeprecateAt=when)


@pytest.mark.extended
def test_a_deprecation_is_shown_to_the_minute_and_taken_back(account: Account, image: str) -> None:
    when = datetime(datetime.now(UTC).year + 1, 5, 6, 7, 8, 40, tzinfo=UTC)
    account.ec2.enable_image_deprecation(ImageId=image, DeprecateAt=when)
    assert describe(account, image)["DeprecationTime"] == f"{when.year}-05-06T07:09:00.000Z"
    account.ec2.disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in describe(account, image)


def test_a_deprecation_lies_within_limits(account: Account, image: str) -> None:
    for days in (-1, 3660):
        assert error_code(lambda d=days: deprecate(account, image, d)) == "InvalidParameterValue"  # type: ignore[misc]
    deprecate(account, image, 3650)
    account.ec2.disable_image_block_public_access()
    account.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    assert error_code(lambda: deprecate(account, image, 740)) == "InvalidParameterValue"
    deprecate(account, image, 720)


def test_a_protected_image_is_not_deregistered(account: Account, image: str) -> None:
    assert describe(account, image)["DeregistrationProtection"] == "disabled"
    protect = account.ec2.enable_image_deregistration_protection
    assert protect(ImageId=image)["Return"] == "enabled-without-cooldown"
    code = error_code(lambda: account.ec2.deregister_image(ImageId=image))
    assert code == "OperationNotPermitted"
    account.ec2.disable_image_deregistration_protection(ImageId=image)
    account.ec2.deregister_image(ImageId=image)


def test_a_cooldown_protects_for_a_day_longer(account: Account, image: str) -> None:
    account.ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    account.ec2.disable_image_deregistration_protection(ImageId=image)
    account.clock.advance(COOLDOWN - 1)
    assert describe(account, image)["DeregistrationProtection"] == "enabled-with-cooldown"
    assert error_code(lambda: account.ec2.deregister_image(ImageId=image))
    account.clock.advance(1)
    account.ec2.deregister_image(ImageId=image)


def test_a_disabled_image_is_hidden_unshared_and_not_launched(account: Account, image: str) -> None:
    account.ec2.modify_image_attribute(
        ImageId=image, LaunchPermission={"Add": [{"UserId": "1" * 12}]}
    )
    account.ec2.disable_image(ImageId=image)
    assert not account.ec2.describe_images(Owners=["self"])["Images"]
    (found,) = account.ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
    assert found["State"] == "disabled"
    assert error_code(lambda: account.run(image)) == "InvalidAMIID.Unavailable"
    account.ec2.enable_image(ImageId=image)
    assert describe(account, image)["State"] == "available"
    asked = {"Attribute": "launchPermission", "ImageId": image}
    assert account.ec2.describe_image_attribute(**asked)["LaunchPermissions"] == []


def test_neither_deprecation_nor_protection_follows_a_copy(account: Account, image: str) -> None:
    deprecate(account, image, 10)
    account.ec2.enable_image_deregistration_protection(ImageId=image)
    copied = account.ec2.copy_image(SourceRegion=account.region, SourceImageId=image, Name="copy")
    found = describe(account, copied["ImageId"])
    assert "DeprecationTime" not in found
    assert found["DeregistrationProtection"] == "disabled"


@pytest.mark.extended
def test_all_of_it_comes_back_after_a_restart(account: Account, image: str) -> None:
    deprecate(account, image, 10)
    account.ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    before = describe(account, image)
    after_restart = account.restarted()
    with install(after_restart), mock_aws():
        assert describe(account, image) == before


def test_an_image_that_is_gone_is_told_from_one_that_never_was(
    account: Account, image: str
) -> None:
    account.ec2.deregister_image(ImageId=image)
    code = error_code(lambda: account.ec2.disable_image_deprecation(ImageId=image))
    assert code == "InvalidAMIID.Unavailable"
    none = "ami-00000000000000000"
    code = error_code(lambda: account.ec2.disable_image_deprecation(ImageId=none))
    assert code == "InvalidAMIID.NotFound"
