"""Snapshots that say that they are encrypted, and with which key."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code

HOME, THERE = "us-east-1", "eu-west-1"


@pytest.fixture
def key(account: Account) -> str:
    """The ARN of a key of the home region, with an alias."""
    arn = account.kms.create_key()["KeyMetadata"]["Arn"]
    account.kms.create_alias(AliasName="alias/mine", TargetKeyId=arn)
    return str(arn)


def describe(account: Account, snapshot_id: str) -> Any:
    (found,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    return found


def copy(account: Account, snapshot_id: str, **options: Any) -> Any:
    answer = account.ec2.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=snapshot_id, **options)
    account.clock.advance(account.site.pace.copy_snapshot)
    return describe(account, answer["SnapshotId"])


@pytest.mark.extended
def test_a_key_may_be_named_in_four_ways(account: Account, key: str) -> None:
    source = account.snapshot()
    alias_arn = f"arn:aws:kms:{HOME}:123456789012:alias/mine"
    for name in (key, key.rpartition("/")[2], "alias/mine", alias_arn):
        found = copy(account, source, Encrypted=True, KmsKeyId=name)
        assert (found["State"], found["KmsKeyId"], found["Encrypted"]) == ("completed", key, True)


@pytest.mark.extended
def test_without_a_key_it_is_the_one_of_ebs_in_the_region(account: Account) -> None:
    source = account.snapshot()
    keys = {
        copy(account.there(region), source, Encrypted=True)["KmsKeyId"] for region in (HOME, THERE)
    }
    assert {arn.split(":")[3] for arn in keys} == {HOME, THERE}


@pytest.mark.extended
def test_a_copy_of_what_is_encrypted_is_encrypted(account: Account, key: str) -> None:
    source = copy(account, account.snapshot(), Encrypted=True, KmsKeyId=key)["SnapshotId"]
    other = account.there(THERE)
    found = copy(other, source)
    assert found["Encrypted"]
    assert found["KmsKeyId"] != key  # which is no key of the other region


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("given", ["alias/none", "00000000-0000-0000-0000-000000000000", "HOME"])
def test_a_key_that_cannot_be_used_fails_the_copy_later(
    account: Account, key: str, given: str
) -> None:
    other = account.there(THERE)
    image = account.image(account.snapshot())
    wanted = {"Encrypted": True, "KmsKeyId": key if given == "HOME" else given}
    found = other.ec2.copy_image(SourceRegion=HOME, SourceImageId=image, Name="copy", **wanted)
    asked = {"ImageIds": [found["ImageId"]]}
    assert other.ec2.describe_images(**asked)["Images"][0]["State"] == "pending"
    account.clock.advance(account.site.pace.copy_snapshot)
    (failed,) = other.ec2.describe_images(**asked)["Images"]
    assert failed["State"] == "failed"
    assert "key" in failed["StateReason"]["Message"]
    disk = describe(other, failed["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])
    assert (disk["State"], disk["StateMessage"]) == ("error", "Given key ID is not accessible")


@pytest.mark.extended
def test_a_disabled_key_cannot_be_used(account: Account, key: str) -> None:
    source = account.snapshot()
    account.kms.disable_key(KeyId=key.rpartition("/")[2])
    assert copy(account, source, Encrypted=True, KmsKeyId=key)["State"] == "error"


def test_encryption_by_default_covers_all_that_is_made(account: Account, key: str) -> None:
    assert not account.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    assert account.ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    account.ec2.enable_ebs_encryption_by_default()
    account.ec2.modify_ebs_default_kms_key_id(KmsKeyId="alias/mine")
    imported = account.snapshot()
    written = account.ebs.start_snapshot(VolumeSize=1)
    assert describe(account, imported)["KmsKeyId"] == written["KmsKeyArn"] == key
    other = account.there(THERE)
    assert not other.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    account.ec2.disable_ebs_encryption_by_default()
    assert account.ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    assert "KmsKeyArn" not in account.ebs.start_snapshot(VolumeSize=1)
    wrong = {"KmsKeyId": "alias/none"}
    code = error_code(lambda: account.ec2.modify_ebs_default_kms_key_id(**wrong))
    assert code == "InvalidKmsKey.NotFound"


def test_an_import_is_encrypted_as_asked(account: Account, key: str) -> None:
    account.add_role()
    account.upload(b"disk")
    good = account.begin_import(Encrypted=True, KmsKeyId="alias/mine")["ImportTaskId"]
    bad = account.begin_import(Encrypted=True, KmsKeyId="alias/none")["ImportTaskId"]
    account.clock.advance(account.site.pace.import_snapshot)
    task = account.task(good)
    assert (task["Encrypted"], task["KmsKeyId"]) == (True, key)
    assert describe(account, task["SnapshotId"])["KmsKeyId"] == key
    assert account.task(bad)["Status"] == "deleted"


def test_a_direct_snapshot_is_encrypted_as_asked(account: Account, key: str) -> None:
    start = account.ebs.start_snapshot
    answer = start(VolumeSize=1, Encrypted=True, KmsKeyArn=key)
    assert (answer["KmsKeyArn"], answer["SseType"]) == (key, "sse-kms")
    assert error_code(lambda: start(VolumeSize=1, KmsKeyArn=key)) == "ValidationException"
    none = key[:-1] + ("0" if key[-1] != "0" else "1")
    code = error_code(lambda: start(VolumeSize=1, Encrypted=True, KmsKeyArn=none))
    assert code == "ResourceNotFoundException"


@pytest.mark.extended
def test_a_child_is_encrypted_as_its_parent(account: Account, key: str) -> None:
    parent = copy(account, account.snapshot(), Encrypted=True, KmsKeyId=key)["SnapshotId"]
    start = account.ebs.start_snapshot
    assert start(VolumeSize=1, ParentSnapshotId=parent)["KmsKeyArn"] == key
    both = {"ParentSnapshotId": parent, "Encrypted": True}
    assert error_code(lambda: start(VolumeSize=1, **both)) == "ValidationException"


@pytest.mark.extended
def test_an_image_of_an_encrypted_snapshot_says_so(account: Account, key: str) -> None:
    disk = copy(account, account.snapshot(), Encrypted=True, KmsKeyId=key)["SnapshotId"]
    image = account.image(disk)
    (found,) = account.ec2.describe_images(ImageIds=[image])["Images"]
    assert found["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
