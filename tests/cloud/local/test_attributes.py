"""Sharing of snapshots and images, and what AWS does not let be shared."""

from __future__ import annotations

from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.quotas import SHARES

from .conftest import Account, error_code

ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-abcdefghij"
UNIT = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"
ALL = {"Add": [{"Group": "all"}]}


def permissions(account: Account, image_id: str) -> Any:
    asked = {"Attribute": "launchPermission", "ImageId": image_id}
    return account.ec2.describe_image_attribute(**asked)["LaunchPermissions"]


def encrypted_image(account: Account, **key: str) -> str:
    answer = account.ec2.copy_snapshot(
        SourceRegion=account.region, SourceSnapshotId=account.snapshot(), Encrypted=True, **key
    )
    account.clock.advance(account.site.pace.copy_snapshot)
    return account.image(answer["SnapshotId"])


def test_an_image_is_shared_in_both_forms(account: Account) -> None:
    image = account.image(account.snapshot())
    change = account.ec2.modify_image_attribute
    same = {"UserIds": ["1" * 12]}  # as Packer says it a second time, without an OperationType
    change(ImageId=image, LaunchPermission={"Add": [{"UserId": "1" * 12}]}, **same)
    change(
        ImageId=image,
        OperationType="add",
        UserIds=["2" * 12, "3" * 12],
        OrganizationArns=[ORGANIZATION],
        OrganizationalUnitArns=[UNIT],
    )
    change(ImageId=image, LaunchPermission={"Remove": [{"UserId": "2" * 12}]})
    assert permissions(account, image) == [
        {"UserId": "1" * 12},
        {"UserId": "3" * 12},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
    ]
    account.ec2.reset_image_attribute(ImageId=image, Attribute="launchPermission")
    assert permissions(account, image) == []


@pytest.mark.extended
def test_an_image_is_shared_without_its_snapshot(account: Account) -> None:
    snapshot = account.snapshot()
    image = account.image(snapshot)
    account.ec2.modify_image_attribute(
        ImageId=image, LaunchPermission={"Add": [{"UserId": "1" * 12}]}
    )
    asked = {"Attribute": "createVolumePermission", "SnapshotId": snapshot}
    assert account.ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"UserIds": ["1" * 12]}, "MissingParameter"),
        ({"LaunchPermission": {"Add": [{"UserId": "12"}]}}, "InvalidAMIAttributeItemValue"),
        ({"LaunchPermission": {"Add": [{"OrganizationArn": "o-1"}]}},
         "InvalidAMIAttributeItemValue"),
        ({"LaunchPermission": {"Add": [{"OrganizationalUnitArn": ORGANIZATION}]}},
         "InvalidAMIAttributeItemValue"),
        ({"LaunchPermission": ALL}, "OperationNotPermitted"),
        ({"ImdsSupport": {"Value": "v1.0"}}, "InvalidParameterValue"),
        ({"LaunchPermission": {"Add": [{"UserId": f"{n:012}"} for n in range(SHARES.most + 1)]}},
         "ResourceLimitExceeded"),
    ],
)  # fmt: skip
def test_changes_that_are_refused(account: Account, change: dict[str, Any], code: str) -> None:
    image = account.image(account.snapshot())
    found = error_code(lambda: account.ec2.modify_image_attribute(ImageId=image, **change))
    assert found == code
    assert permissions(account, image) == []


def test_images_are_made_public_when_nothing_blocks_it(account: Account) -> None:
    image = account.image(account.snapshot())
    state = account.ec2.get_image_block_public_access_state()
    assert state["ImageBlockPublicAccessState"] == "block-new-sharing"  # of a new account
    account.ec2.disable_image_block_public_access()
    account.ec2.modify_image_attribute(ImageId=image, LaunchPermission=ALL)
    assert account.ec2.describe_images(ImageIds=[image])["Images"][0]["Public"]
    account.ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    other = account.image(account.image_snapshot(image), "other")
    code = error_code(
        lambda: account.ec2.modify_image_attribute(ImageId=other, LaunchPermission=ALL)
    )
    assert code == "OperationNotPermitted"
    assert permissions(account, image) == [{"Group": "all"}]  # what is shared stays shared


def test_snapshots_are_made_public_when_nothing_blocks_it(account: Account) -> None:
    snapshot = account.snapshot()
    change = {"SnapshotId": snapshot, "CreateVolumePermission": ALL}
    assert account.ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    account.ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    code = error_code(lambda: account.ec2.modify_snapshot_attribute(**change))
    assert code == "OperationNotPermitted"
    account.ec2.disable_snapshot_block_public_access()
    account.ec2.modify_snapshot_attribute(**change)
    asked = {"Attribute": "createVolumePermission", "SnapshotId": snapshot}
    answer = account.ec2.describe_snapshot_attribute(**asked)
    assert answer["CreateVolumePermissions"] == [{"Group": "all"}]
    somebody = {"Add": [{"UserId": "1" * 12}]}
    account.ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=somebody)
    answer = account.ec2.describe_snapshot_attribute(**asked)
    assert len(answer["CreateVolumePermissions"]) == 2
    account.ec2.reset_snapshot_attribute(**asked)
    assert account.ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"] == []


def test_what_the_key_of_ebs_encrypts_is_shared_with_nobody(account: Account) -> None:
    image = encrypted_image(account)
    somebody = {"Add": [{"UserId": "1" * 12}]}
    share_image = account.ec2.modify_image_attribute
    code = error_code(lambda: share_image(ImageId=image, LaunchPermission=somebody))
    assert code == "InvalidParameter"
    change = {"SnapshotId": account.image_snapshot(image), "CreateVolumePermission": somebody}
    code = error_code(lambda: account.ec2.modify_snapshot_attribute(**change))
    assert code == "OperationNotPermitted"


def test_what_another_key_encrypts_is_shared_but_not_made_public(account: Account) -> None:
    image = encrypted_image(account, KmsKeyId=account.kms.create_key()["KeyMetadata"]["Arn"])
    account.ec2.disable_image_block_public_access()
    share_image, snapshot = account.ec2.modify_image_attribute, account.image_snapshot(image)
    share_image(ImageId=image, LaunchPermission={"Add": [{"UserId": "1" * 12}]})
    assert permissions(account, image) == [{"UserId": "1" * 12}]
    assert error_code(lambda: share_image(ImageId=image, LaunchPermission=ALL))
    change = {"SnapshotId": snapshot, "CreateVolumePermission": ALL}
    code = error_code(lambda: account.ec2.modify_snapshot_attribute(**change))
    assert code == "OperationNotPermitted"


@pytest.mark.extended
def test_sharing_comes_back_after_a_restart(account: Account) -> None:
    snapshot = account.snapshot()
    image = account.image(snapshot)
    account.ec2.modify_image_attribute(
        ImageId=image, LaunchPermission={"Add": [{"OrganizationArn": ORGANIZATION}]}
    )
    account.ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": "1" * 12}]}
    )
    after_restart = account.restarted()
    with install(after_restart), mock_aws():
        assert permissions(account, image) == [{"OrganizationArn": ORGANIZATION}]
        asked = {"Attribute": "createVolumePermission", "SnapshotId": snapshot}
        answer = account.ec2.describe_snapshot_attribute(**asked)
        assert answer["CreateVolumePermissions"] == [{"UserId": "1" * 12}]


def test_an_image_is_shared_with_as_many_as_the_quota_says(account: Account) -> None:
    image = account.image(account.snapshot())
    accounts = [{"UserId": f"{n:012}"} for n in range(SHARES.most)]
    account.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": accounts})
    told = account.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    assert len(told["LaunchPermissions"]) == SHARES.most
