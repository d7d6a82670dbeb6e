"""Keys and sharing: what AWS would refuse after the upload is found before it."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.errors import RefusedError
from nitro.progress import Reporter
from nitro.publish.publication import plan
from nitro.publish.source import Source
from tests.cloud.conftest import connect, recorded
from tests.cloud.publish.conftest import FRIEND, REGIONS, make_release, publish_it
from tests.cloud.publish.test_publication import amis

pytestmark = pytest.mark.policies("publish")

HOME = REGIONS[0]


@pytest.mark.extended
def test_keys_encrypt_every_way(account: Cloud, disk: Source) -> None:
    keys = {
        region: account.in_region(region).kms.create_key()["KeyMetadata"]["Arn"]
        for region in REGIONS
    }
    for via in ("s3", "ebs"):
        wanted = make_release(disk, via=via, version=via, kms_keys=keys)
        assert not publish_it(wanted).failed
        for region, (image,) in amis(account, wanted.name).items():
            snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
            (snapshot,) = account.in_region(region).ec2.describe_snapshots(
                SnapshotIds=[snapshot_id]
            )["Snapshots"]
            assert snapshot["KmsKeyId"] == keys[region]


def test_a_key_that_is_not_there_is_found_before_any_upload(account: Cloud, disk: Source) -> None:
    calls = recorded(connection := connect())
    with pytest.raises(RefusedError, match="no KMS key alias/none in eu-central-1"):
        publish_it(make_release(disk, kms_key="alias/none", regions=[HOME]), connection)
    assert [str(call) for call in calls if call.changes] == []


@pytest.mark.extended
def test_blocked_public_sharing_is_found_before_any_upload(account: Cloud, disk: Source) -> None:
    """The local Nitro blocks it from the start, as AWS does in an account without public AMIs."""
    wanted = make_release(disk, via="ebs", share={"public": True}, regions=[HOME])
    connection = connect()
    calls = recorded(connection)
    with pytest.raises(RefusedError, match="public sharing of AMIs in eu-central-1"):
        publish_it(wanted, connection)
    account.ec2.disable_image_block_public_access()
    account.ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    with pytest.raises(RefusedError, match="public sharing of snapshots in eu-central-1"):
        publish_it(wanted, connection)
    assert [str(call) for call in calls if call.changes] == []
    account.ec2.disable_snapshot_block_public_access()
    assert not publish_it(wanted, connection).failed
    (image,) = amis(account, wanted.name)[HOME]
    assert image["Public"]


@pytest.mark.parametrize(
    ("key", "usable"),
    [
        ({}, True),
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, False),
        ({"disabled": True}, False),
    ],
)
def test_a_key_that_ebs_cannot_use_is_refused(
    account: Cloud, disk: Source, key: dict[str, Any], usable: bool
) -> None:
    disabled = key.pop("disabled", False)
    arn = account.kms.create_key(**key)["KeyMetadata"]["Arn"]
    if disabled:
        account.kms.disable_key(KeyId=arn)
    wanted = make_release(disk, kms_key=arn, regions=[HOME], share={"accounts": [FRIEND]})
    if usable:
        assert plan(connect(), wanted, Reporter()).states[HOME].key == arn
        return
    with pytest.raises(RefusedError, match="EBS cannot use the KMS key"):
        plan(connect(), wanted, Reporter())


@pytest.mark.parametrize("share", [{"accounts": [FRIEND]}, {"public": True}])
def test_what_is_shared_cannot_be_encrypted_with_the_key_of_aws(
    account: Cloud, disk: Source, share: dict[str, Any]
) -> None:
    account.ec2.enable_ebs_encryption_by_default()
    wanted = make_release(disk, regions=[HOME], share=share)
    with pytest.raises(RefusedError, match="what alias/aws/ebs encrypts in eu-central-1 cannot be"):
        plan(connect(), wanted, Reporter())
    plan(connect(), make_release(disk, regions=[HOME]), Reporter())  # nobody else needs the key


def test_what_a_key_encrypts_cannot_be_public(account: Cloud, disk: Source) -> None:
    account.ec2.disable_image_block_public_access()
    arn = account.kms.create_key()["KeyMetadata"]["Arn"]
    wanted = make_release(disk, kms_key=arn, regions=[HOME], share={"public": True})
    with pytest.raises(RefusedError, match=f"an AMI encrypted with {arn} cannot be public"):
        plan(connect(), wanted, Reporter())
