"""Buckets and objects that outlive the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.s3_archive import FOLDER

from .conftest import Account, error_code
from .damage import damaged

NAME = "of-mine"
LIFECYCLE: Any = {
    "Rules": [{"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}]
}
CORS: Any = {
    "CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}]
}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{NAME}/locked/*",
            }
        ],
    }
)


def folder(account: Account) -> Path:
    assert account.site.index
    return account.site.index / FOLDER / "123456789012-aws"


def stable(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def same_after_a_restart(account: Account, see: Callable[[], Any]) -> Any:
    before = see()
    with install(account.restarted()), mock_aws():
        assert see() == before
    return before


def test_a_bucket_comes_back_with_its_configuration(account: Account) -> None:
    s3 = account.there("eu-west-1").s3
    place: Any = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    s3.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration=LIFECYCLE)
    s3.put_bucket_cors(Bucket=NAME, CORSConfiguration=CORS)
    s3.put_bucket_policy(Bucket=NAME, Policy=POLICY)
    s3.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object_lock_configuration(
        Bucket=NAME,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    ownership: Any = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=NAME, OwnershipControls=ownership)
    s3.put_bucket_acl(Bucket=NAME, ACL="log-delivery-write")
    blocked = {"BlockPublicAcls": False, "IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=NAME, PublicAccessBlockConfiguration=blocked)

    def see() -> list[Any]:
        questions = (
            *(s3.get_bucket_location, s3.get_bucket_lifecycle_configuration, s3.get_bucket_cors),
            *(s3.get_bucket_policy, s3.get_bucket_tagging, s3.get_object_lock_configuration),
            *(s3.get_bucket_ownership_controls, s3.get_bucket_acl, s3.get_public_access_block),
            *(s3.get_bucket_encryption, s3.get_bucket_versioning),
        )
        return [s3.list_buckets()["Buckets"], *(stable(ask(Bucket=NAME)) for ask in questions)]

    before = same_after_a_restart(account, see)
    assert before[1]["LocationConstraint"] == "eu-west-1"
    assert before[3]["CORSRules"][0]["MaxAgeSeconds"] == 5


@pytest.mark.extended
def test_an_object_comes_back_with_all_that_describes_it(account: Account) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket=NAME)
    s3.put_object(
        Bucket=NAME,
        Key="a/ü b",
        Body=b"some bytes" * 1000,
        ContentType="text/plain",
        ContentEncoding="gzip",
        Metadata={"who": "me"},
        StorageClass="STANDARD_IA",
        Tagging="colour=blue",
        ChecksumAlgorithm="SHA256",
    )
    upload = s3.create_multipart_upload(Bucket=NAME, Key="parts", ChecksumAlgorithm="CRC32")
    named = {"Bucket": NAME, "Key": "parts", "UploadId": upload["UploadId"]}
    sent = [
        s3.upload_part(**named, PartNumber=number, Body=bytes([number]) * size)
        for number, size in ((1, 5 << 20), (2, 7))
    ]
    parts: Any = [
        {"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
        for number, part in enumerate(sent, 1)
    ]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=NAME, Key="copy", CopySource=f"{NAME}/parts")

    def see() -> list[Any]:
        seen = []
        for key in ("a/ü b", "parts", "copy"):
            got = stable(s3.get_object(Bucket=NAME, Key=key, ChecksumMode="ENABLED"))
            got["Body"] = got["Body"].read()
            tags = s3.get_object_tagging(Bucket=NAME, Key=key)["TagSet"]
            seen += [got, tags, stable(s3.get_object_acl(Bucket=NAME, Key=key))]
        part = s3.get_object(Bucket=NAME, Key="parts", PartNumber=2)
        listed = s3.list_objects_v2(Bucket=NAME)["Contents"]
        return [*seen, part["PartsCount"], part["Body"].read(), listed]

    before = same_after_a_restart(account, see)
    assert before[0]["Body"] == b"some bytes" * 1000
    assert before[-2] == b"\2" * 7


def test_versions_and_delete_markers_come_back(account: Account) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket=NAME, ObjectLockEnabledForBucket=True)
    ids = [s3.put_object(Bucket=NAME, Key="k", Body=body)["VersionId"] for body in (b"1", b"22")]
    s3.put_object_legal_hold(Bucket=NAME, Key="k", VersionId=ids[0], LegalHold={"Status": "ON"})
    s3.delete_object(Bucket=NAME, Key="k")

    def see() -> list[Any]:
        bodies = [
            s3.get_object(Bucket=NAME, Key="k", VersionId=each)["Body"].read() for each in ids
        ]
        held = s3.get_object_legal_hold(Bucket=NAME, Key="k", VersionId=ids[0])["LegalHold"]
        return [bodies, held, stable(s3.list_object_versions(Bucket=NAME))]

    before = same_after_a_restart(account, see)
    assert before[0] == [b"1", b"22"]
    assert len(before[2]["DeleteMarkers"]) == 1


@pytest.mark.extended
def test_what_is_removed_stays_removed_and_leaves_no_file(account: Account) -> None:
    s3 = account.s3
    for name in (NAME, "other"):
        s3.create_bucket(Bucket=name)
        for key in ("a", "b", "c"):
            s3.put_object(Bucket=name, Key=key, Body=b"x")
    s3.put_object(Bucket=NAME, Key="a", Body=b"once more")
    s3.delete_object(Bucket=NAME, Key="b")
    s3.delete_objects(Bucket="other", Delete={"Objects": [{"Key": each} for each in "abc"]})
    s3.delete_bucket(Bucket="other")
    assert [each.name for each in folder(account).iterdir()] == [NAME]
    assert len(list((folder(account) / NAME).iterdir())) == 1 + 2 + 2
    with install(account.restarted()), mock_aws():
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [NAME]
        assert [each["Key"] for each in s3.list_objects_v2(Bucket=NAME)["Contents"]] == ["a", "c"]
        assert s3.get_object(Bucket=NAME, Key="a")["Body"].read() == b"once more"
        s3.create_bucket(Bucket="other")
        s3.delete_object(Bucket=NAME, Key="a")
        s3.delete_object(Bucket=NAME, Key="c")
        s3.delete_bucket(Bucket=NAME)
    assert [each.name for each in folder(account).iterdir()] == ["other"]


@pytest.mark.extended
def test_a_kept_object_can_be_changed_copied_and_imported(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    with install(account.restarted()), mock_aws():
        account.add_role()
        account.s3.put_object_tagging(
            Bucket="disks", Key="disk.raw", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
        )
        account.s3.copy_object(
            Bucket="disks",
            Key="disk.raw",
            CopySource="disks/disk.raw",
            MetadataDirective="REPLACE",
            Metadata={"new": "1"},
        )
        task = account.begin_import()["ImportTaskId"]
        account.clock.advance(account.site.pace.import_snapshot)
        assert account.task(task)["Status"] == "completed"
        body = account.s3.get_object(Bucket="disks", Key="disk.raw", Range="bytes=1-2")["Body"]
        assert body.read() == b"is"


@pytest.mark.parametrize("damage", ["[", "{}", '{"key": "a", "versions": [{}]}'])
def test_a_record_that_cannot_be_read_is_left_out(account: Account, damage: str) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket=NAME)
    for key in ("a", "b"):
        s3.put_object(Bucket=NAME, Key=key, Body=key.encode())
    (record,) = (p for p in (folder(account) / NAME).glob("*.json") if '"a"' in p.read_text())
    record.write_text(damage)
    (folder(account) / "broken").mkdir()
    (folder(account) / "broken" / "bucket.json").write_text(damage)
    with install(account.restarted()), mock_aws():
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [NAME]
        assert [each["Key"] for each in s3.list_objects_v2(Bucket=NAME)["Contents"]] == ["b"]
        assert error_code(lambda: s3.get_object(Bucket=NAME, Key="a")) == "NoSuchKey"


def test_bytes_that_are_lost_take_their_object_along(account: Account) -> None:
    account.upload(b"disk")
    (stored,) = (each for each in (folder(account) / "disks").iterdir() if not each.suffix)
    stored.write_bytes(b"dis")
    with install(account.restarted()), mock_aws():
        assert "Contents" not in account.s3.list_objects_v2(Bucket="disks")


def test_a_disk_that_is_full_fails_no_call(account: Account) -> None:
    account.s3.create_bucket(Bucket=NAME)
    (folder(account) / NAME / "bucket.json").unlink()
    (folder(account) / NAME).rmdir()
    (folder(account) / NAME).write_text("in the way")
    account.s3.put_object(Bucket=NAME, Key="a", Body=b"x")
    assert account.s3.get_object(Bucket=NAME, Key="a")["Body"].read() == b"x"


def test_dates_are_those_of_before(account: Account) -> None:
    account.upload(b"disk")
    head = same_after_a_restart(
        account, lambda: account.s3.head_object(Bucket="disks", Key="disk.raw")["LastModified"]
    )
    assert abs((datetime.now(UTC) - head).total_seconds()) < 600


def test_a_lifecycle_removes_what_has_become_old_meanwhile(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = account.s3
    rules: Any = [
        {"ID": "1", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3}},
        {"ID": "2", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
        {
            "ID": "3",
            "Status": "Enabled",
            "Filter": {"Tag": {"Key": "a", "Value": "b"}},
            "Expiration": {"Days": 1},
        },
    ]
    for name in (NAME, "versions"):
        s3.create_bucket(Bucket=name)
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for name in (NAME, "versions"):
        for key in ("old/a", "new/a"):
            s3.put_object(Bucket=name, Key=key, Body=b"x")

    def keys(name: str) -> list[str]:
        return [each["Key"] for each in s3.list_objects_v2(Bucket=name)["Contents"]]

    for days, left in ((2.9, ["new/a", "old/a"]), (3.1, ["new/a"])):
        later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days)
        monkeypatch.setattr("nitro.local.aws.s3_archive.utcnow", lambda later=later: later)
        with install(account.restarted()), mock_aws():
            assert keys(NAME) == left
            assert keys("versions") == ["new/a", "old/a"]
    assert len(list((folder(account) / NAME).iterdir())) == 1 + 2


def test_versions_are_listed_when_the_one_below_a_marker_is_gone(account: Account) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket=NAME)
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    first, last = (s3.put_object(Bucket=NAME, Key="k", Body=b"x")["VersionId"] for _ in range(2))
    marker = s3.delete_object(Bucket=NAME, Key="k")["VersionId"]
    s3.delete_object(Bucket=NAME, Key="k", VersionId=last)

    def see() -> Any:
        told = s3.list_object_versions(Bucket=NAME)
        return [
            [each["VersionId"] for each in told[name]] for name in ("Versions", "DeleteMarkers")
        ]

    assert same_after_a_restart(account, see) == [[first], [marker]]


def test_whatever_is_wrong_with_an_object_the_next_one_comes_back(account: Account) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket=NAME)
    s3.put_object(Bucket=NAME, Key="z", Body=b"body", Tagging="a=1", Metadata={"m": "1"})
    (path,) = (p for p in (folder(account) / NAME).glob("*.json") if '"z"' in p.read_text())
    kept = json.loads(path.read_text())
    (version,) = kept["versions"]
    for n, one in enumerate(damaged(version, but="")):
        record = {"key": f"k{n}", "versions": [one]}
        (path.parent / f"{n:040}.json").write_text(json.dumps(record))
    bucket = json.loads((path.parent / "bucket.json").read_text())
    for n, one in enumerate(damaged(bucket)):
        (folder(account) / f"other-{n}").mkdir()
        (folder(account) / f"other-{n}" / "bucket.json").write_text(json.dumps(one))
    with install(account.restarted()), mock_aws():
        assert s3.get_object(Bucket=NAME, Key="z")["Body"].read() == b"body"
