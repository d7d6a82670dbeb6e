"""The bucket."""

from __future__ import annotations

import pytest

from nitro.cloud import Cloud, Keep, Undo, storage, tags
from nitro.errors import NitroError, RefusedError
from nitro.local.aws import Site
from tests.cloud.conftest import (
    NOTHING,
    blink,
    connect,
    everything,
    make_bucket,
    recorded,
    refuse,
)


@pytest.mark.extended
def test_our_own_is_private_encrypted_and_cleans_up(cloud: Cloud) -> None:
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    assert bucket.name == "nitro-123456789012-eu-central-1"
    assert bucket.new
    name = {"Bucket": bucket.name}
    block = cloud.s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    (rule,) = cloud.s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rules = cloud.s3.get_bucket_lifecycle_configuration(**name)["Rules"]
    assert {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules} == {
        "images/": 3,
        "results/": 1,
    }
    assert all(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1 for rule in rules)
    assert tags.ours(tags.from_list(cloud.s3.get_bucket_tagging(**name)["TagSet"]))


@pytest.mark.extended
def test_it_is_made_once(cloud: Cloud) -> None:
    with Undo() as undo:
        first = storage.ensure_bucket(cloud, undo)
    calls = recorded(again := connect())
    with Undo() as undo:
        second = storage.ensure_bucket(again, undo)
    assert (first.name, second.new) == (second.name, False)
    assert [call for call in calls if call.changes] == []


@pytest.mark.extended
def test_its_tags_come_with_the_call_that_makes_it(cloud: Cloud) -> None:
    calls = recorded(cloud)
    with Undo() as undo:
        storage.ensure_bucket(cloud, undo)
    (made,) = (call for call in calls if call.operation == "CreateBucket")
    assert tags.ours(tags.from_list(made.params["CreateBucketConfiguration"]["Tags"]))


def test_every_call_names_the_owner_that_we_expect(cloud: Cloud) -> None:
    calls = recorded(cloud)
    with Undo(Keep.NOTHING) as undo:
        storage.ensure_bucket(cloud, undo)
    s3 = [call for call in calls if call.service == "s3" and call.operation != "CreateBucket"]
    assert {call.params["ExpectedBucketOwner"] for call in s3} == {cloud.account}


@pytest.mark.extended
def test_a_bucket_in_use_stays(cloud: Cloud) -> None:
    with Undo(Keep.NOTHING) as undo:
        bucket = storage.ensure_bucket(cloud, undo)
        cloud.s3.put_object(Bucket=bucket.name, Key="mine", Body=b"x")
    assert everything(connect())["buckets"] == [bucket.name]


@pytest.mark.extended
def test_a_given_bucket_must_be_there(cloud: Cloud) -> None:
    with pytest.raises(RefusedError, match="there is no bucket elsewhere"), Undo() as undo:
        storage.ensure_bucket(cloud, undo, "elsewhere")
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_a_given_bucket_stays(cloud: Cloud) -> None:
    make_bucket(cloud, "my-own")
    with Undo(Keep.NOTHING) as undo:
        assert storage.ensure_bucket(cloud, undo, "my-own").name == "my-own"
    assert everything(connect())["buckets"] == ["my-own"]


def test_someone_elses_bucket_is_refused(cloud: Cloud) -> None:
    refuse(cloud, "s3.HeadBucket", "403", status=403)
    refuse(cloud, "s3.ListObjectsV2", "AccessDenied", status=403)
    with pytest.raises(RefusedError) as caught, Undo() as undo:
        storage.ensure_bucket(cloud, undo)
    assert "may not be used" in caught.value.what
    assert "another account" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "ExpiredToken", "log in"),
        (403, "RequestTimeTooSkewed", "RequestTimeTooSkewed"),
        (403, "InvalidAccessKeyId", "log in"),
    ],
)
def test_why_a_bucket_cannot_be_looked_at_is_asked(
    cloud: Cloud, status: int, code: str, words: str
) -> None:
    refuse(cloud, "s3.HeadBucket", str(status), status=status)
    refuse(cloud, "s3.ListObjectsV2", code, "why", status=status)
    with pytest.raises(NitroError) as caught:
        storage.find_bucket(cloud)
    assert words in str(caught.value)
    assert f"({status})" not in str(caught.value)


def test_two_runs_at_once_share_it(cloud: Cloud) -> None:
    refuse(cloud, "s3.CreateBucket", "BucketAlreadyOwnedByYou", status=409)
    with Undo(Keep.NOTHING) as undo:
        assert not storage.ensure_bucket(cloud, undo).new
        assert undo.kept == []  # it is the other run's to take back


def test_a_bucket_that_was_just_deleted_is_waited_for(cloud: Cloud) -> None:
    failures = refuse(cloud, "s3.CreateBucket", "OperationAborted", status=409, times=12)
    with Undo() as undo:
        assert storage.ensure_bucket(cloud, undo).new
    assert len(failures) == 12
    assert everything(connect())["buckets"] == ["nitro-123456789012-eu-central-1"]


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
@pytest.mark.parametrize("code", ["UnsupportedArgument", "MalformedXML", "NotImplemented"])
def test_where_a_bucket_is_not_made_with_tags_it_gets_them_afterwards(
    site: Site, code: str, region: str
) -> None:
    cloud = Cloud.connect(region=region, sleep=blink)
    calls = recorded(cloud)
    refuse(cloud, "s3.CreateBucket", code, times=1)
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    (made,) = (call for call in calls if call.operation == "CreateBucket")  # the second attempt
    located = {} if region == "us-east-1" else {"LocationConstraint": region}
    assert made.params.get("CreateBucketConfiguration", {}) == located
    found = cloud.s3.get_bucket_tagging(Bucket=bucket.name)["TagSet"]
    assert tags.ours(tags.from_list(found))


@pytest.mark.extended
def test_another_error_is_not_taken_for_ignorance_of_tags(cloud: Cloud) -> None:
    failures = refuse(cloud, "s3.CreateBucket", "TooManyBuckets")
    with pytest.raises(RefusedError, match="TooManyBuckets"), Undo() as undo:
        storage.ensure_bucket(cloud, undo)
    assert len(failures) == 1


@pytest.mark.extended
def test_only_the_uploads_of_the_very_key_are_found(cloud: Cloud) -> None:
    with Undo() as undo:
        bucket = storage.ensure_bucket(cloud, undo)
    for key in ("images/a.raw", "images/a.raw.old"):
        cloud.s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    assert len(storage.uploads(cloud, bucket, "images/a.raw")) == 1
