"""Keys that outlive the process, and what is encrypted with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.kms_archive import FOLDER

from .conftest import Account, error_code
from .damage import damaged


def key(account: Account, **options: Any) -> str:
    return str(account.kms.create_key(**options)["KeyMetadata"]["KeyId"])


def test_keys_come_back_with_all_that_describes_them(account: Account) -> None:
    kms = account.kms
    ids = [
        key(account, Description="mine", Tags=[{"TagKey": "a", "TagValue": "b"}]),
        key(account, MultiRegion=True),
        key(account),
    ]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=ids[0])
    kms.disable_key(KeyId=ids[1])
    kms.schedule_key_deletion(KeyId=ids[2])
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    kms.put_key_policy(KeyId=ids[0], PolicyName="default", Policy=policy)

    def seen() -> list[object]:
        described = [kms.describe_key(KeyId=each)["KeyMetadata"] for each in ids]
        return [
            described,
            kms.list_aliases()["Aliases"],
            kms.list_resource_tags(KeyId=ids[0])["Tags"],
            kms.get_key_policy(KeyId=ids[0], PolicyName="default")["Policy"],
        ]

    before = seen()
    assert [each["KeyState"] for each in before[0]] == ["Enabled", "Disabled", "PendingDeletion"]  # type: ignore[attr-defined]
    with install(account.restarted()), mock_aws():
        assert seen() == before


def test_a_key_is_named_by_its_id_or_its_arn(account: Account) -> None:
    kms = account.kms
    made = kms.create_key()["KeyMetadata"]
    named = {"KeyId": made["Arn"]}

    def state() -> str:
        return str(kms.describe_key(**named)["KeyMetadata"]["KeyState"])

    kms.disable_key(**named)
    assert state() == "Disabled"
    kms.enable_key(**named)
    assert state() == "Enabled"
    kms.schedule_key_deletion(**named, PendingWindowInDays=7)
    assert state() == "PendingDeletion"
    kms.cancel_key_deletion(**named)
    assert state() == "Disabled"
    kms.create_alias(AliasName="alias/own", TargetKeyId=made["Arn"])
    kms.update_alias(AliasName="alias/own", TargetKeyId=made["Arn"])
    kms.tag_resource(**named, Tags=[{"TagKey": "a", "TagValue": "b"}])
    assert kms.list_resource_tags(**named)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    kms.untag_resource(**named, TagKeys=["a"])
    kms.put_key_policy(**named, PolicyName="default", Policy="{}")
    assert kms.get_key_policy(**named, PolicyName="default")["Policy"] == "{}"
    assert len(kms.list_aliases(**named)["Aliases"]) == 1


@pytest.mark.extended
def test_a_copy_can_be_made_of_what_was_encrypted_before(account: Account) -> None:
    source = account.snapshot()
    named = {"SourceSnapshotId": source, "SourceRegion": "us-east-1", "Encrypted": True}

    def copied(**more: Any) -> Any:
        made = account.ec2.copy_snapshot(**named, **more)["SnapshotId"]
        account.clock.advance(account.site.pace.copy_snapshot)
        (found,) = account.ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"]
        return found

    own, of_ebs = copied(KmsKeyId=key(account)), copied()
    with install(account.restarted()), mock_aws():
        again = copied(KmsKeyId=own["KmsKeyId"])
        assert (again["State"], again["KmsKeyId"]) == ("completed", own["KmsKeyId"])
        assert copied()["KmsKeyId"] == of_ebs["KmsKeyId"]


def test_a_record_that_cannot_be_read_is_left_out(account: Account) -> None:
    kept = key(account)
    assert account.site.index
    path = account.site.index / FOLDER / "123456789012-us-east-1.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({"broken": {"policy": 1}, "worse": 5, **held}))
    with install(account.restarted()), mock_aws():
        assert [each["KeyId"] for each in account.kms.list_keys()["Keys"]] == [kept]
        assert error_code(lambda: account.kms.describe_key(KeyId="broken")) == "NotFoundException"


def test_a_key_of_another_place_is_not_this_one(account: Account) -> None:
    arn = account.kms.create_key()["KeyMetadata"]["Arn"]
    for other in (arn.replace("us-east-1", "eu-west-1"), arn.replace("123456789012", "1" * 12)):
        assert error_code(lambda a=other: account.kms.describe_key(KeyId=a)) == "NotFoundException"  # type: ignore[misc]
    assert account.kms.describe_key(KeyId=arn)["KeyMetadata"]["Arn"] == arn


def test_aliases_of_aws_are_not_for_others(account: Account) -> None:
    one = key(account)
    for name in ("alias/aws/disks", "alias/aws/ebs"):
        code = error_code(lambda n=name: account.kms.create_alias(AliasName=n, TargetKeyId=one))  # type: ignore[misc]
        assert code == "NotAuthorizedException"
    assert account.kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyId"] != one


@pytest.mark.parametrize("days", [6, 31])
def test_a_key_goes_in_a_week_or_up_to_thirty_days(account: Account, days: int) -> None:
    one = key(account)
    code = error_code(
        lambda: account.kms.schedule_key_deletion(KeyId=one, PendingWindowInDays=days)
    )
    assert code == "ValidationException"
    assert account.kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] == "Enabled"
    for most in (7, 30):
        account.kms.schedule_key_deletion(KeyId=one, PendingWindowInDays=most)
        account.kms.cancel_key_deletion(KeyId=one)


def test_a_key_encrypts_unless_it_is_for_something_else(account: Account) -> None:
    plain = account.kms.create_key()["KeyMetadata"]
    assert plain["KeyUsage"] == "ENCRYPT_DECRYPT"
    other = account.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
    assert other["KeyUsage"] == "SIGN_VERIFY"


def test_whatever_is_wrong_with_a_key_the_next_one_comes_back(account: Account) -> None:
    one = key(account, Description="mine", Tags=[{"TagKey": "a", "TagValue": "b"}])
    account.kms.create_alias(AliasName="alias/mine", TargetKeyId=one)
    account.kms.schedule_key_deletion(KeyId=one)
    assert account.site.index
    path = account.site.index / FOLDER / "123456789012-us-east-1.json"
    kept = json.loads(path.read_text())[one]
    wrong = {f"key-{n}": each for n, each in enumerate(damaged(kept))}
    path.write_text(json.dumps({**wrong, one: kept}))
    before = account.kms.describe_key(KeyId=one)["KeyMetadata"]
    with install(account.restarted()), mock_aws():
        assert account.kms.describe_key(KeyId=one)["KeyMetadata"] == before
