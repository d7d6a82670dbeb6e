"""What a new bucket has, and its configurations as they were given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import BUCKET, Account, error_code

NAMED = {"Bucket": BUCKET}
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
OBJECT = {"Bucket": BUCKET, "Key": "key"}


@pytest.fixture
def s3(account: Account) -> Any:
    account.s3.create_bucket(**NAMED)
    return account.s3


def policy(principal: Any, **more: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_new_bucket_is_encrypted_private_and_without_acls(s3: Any) -> None:
    def encryption() -> Any:
        found = s3.get_bucket_encryption(**NAMED)["ServerSideEncryptionConfiguration"]
        return found["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]

    assert encryption() == "AES256"
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(**NAMED, ServerSideEncryptionConfiguration={"Rules": [kms]})
    assert encryption() == "aws:kms"
    s3.delete_bucket_encryption(**NAMED)
    assert encryption() == "AES256"
    assert s3.get_public_access_block(**NAMED)["PublicAccessBlockConfiguration"] == BLOCKED
    owned = s3.get_bucket_ownership_controls(**NAMED)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_acls_need_another_ownership_and_public_ones_no_block(s3: Any) -> None:
    def put(acl: str) -> None:
        s3.put_object(**OBJECT, Body=b"x", ACL=acl)

    put("bucket-owner-full-control")
    for attempt in (
        lambda: put("public-read"),
        lambda: s3.put_object_acl(**OBJECT, ACL="public-read"),
        lambda: s3.put_bucket_acl(**NAMED, ACL="public-read"),
        lambda: s3.create_multipart_upload(**OBJECT, ACL="authenticated-read"),
        lambda: s3.put_object(**OBJECT, GrantRead="id=x"),
    ):
        assert error_code(attempt) == "AccessControlListNotSupported"
    rule = {"ObjectOwnership": "ObjectWriter"}
    s3.put_bucket_ownership_controls(**NAMED, OwnershipControls={"Rules": [rule]})
    assert error_code(lambda: put("public-read")) == "AccessDenied"
    s3.delete_public_access_block(**NAMED)
    put("public-read")
    grants = s3.get_object_acl(**OBJECT)["Grants"]
    assert "READ" in [each["Permission"] for each in grants]


@pytest.mark.parametrize("grantees", ["somebody", "id", "id=", 'id="a", somebody', "name=a"])
def test_grants_that_name_no_grantee(s3: Any, grantees: str) -> None:
    rule = {"ObjectOwnership": "ObjectWriter"}
    s3.put_bucket_ownership_controls(**NAMED, OwnershipControls={"Rules": [rule]})
    copied = {**OBJECT, "CopySource": OBJECT}
    s3.put_object(**OBJECT, Body=b"x", GrantRead='id="a", uri=b')
    for attempt in (
        lambda: s3.put_object(**OBJECT, Body=b"x", GrantRead=grantees),
        lambda: s3.put_object_acl(**OBJECT, GrantFullControl=grantees),
        lambda: s3.put_bucket_acl(**NAMED, GrantRead=grantees),
        lambda: s3.copy_object(**copied, MetadataDirective="REPLACE", GrantReadACP=grantees),
        lambda: s3.create_multipart_upload(**OBJECT, GrantRead=grantees),
        lambda: s3.create_bucket(Bucket="another", GrantRead=grantees),
    ):
        assert error_code(attempt) == "InvalidArgument"


def test_a_bucket_is_made_with_an_acl_where_it_is_to_have_some(account: Account) -> None:
    code = error_code(lambda: account.s3.create_bucket(**NAMED, ACL="public-read"))
    assert code == "InvalidBucketAclWithObjectOwnership"
    assert account.s3.list_buckets()["Buckets"] == []
    account.s3.create_bucket(**NAMED, ACL="public-read", ObjectOwnership="ObjectWriter")


def test_a_policy_for_everybody_is_blocked_and_told(s3: Any) -> None:
    assert error_code(lambda: s3.get_bucket_policy_status(**NAMED)) == "NoSuchBucketPolicy"
    for everyone in ("*", {"AWS": "*"}, {"AWS": ["123456789012", "*"]}):
        code = error_code(
            lambda everyone=everyone: s3.put_bucket_policy(  # type: ignore[misc]
                **NAMED, Policy=policy(everyone)
            )
        )
        assert code == "AccessDenied"
    inside = {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    for text in (policy("*", **inside), policy({"AWS": "123456789012"})):
        s3.put_bucket_policy(**NAMED, Policy=text)
        assert s3.get_bucket_policy_status(**NAMED)["PolicyStatus"] == {"IsPublic": False}
    s3.delete_public_access_block(**NAMED)
    s3.put_bucket_policy(**NAMED, Policy=policy("*"))
    assert s3.get_bucket_policy_status(**NAMED)["PolicyStatus"] == {"IsPublic": True}


def test_a_lifecycle_comes_back_whole(s3: Any) -> None:
    both = {"Prefix": "logs/", "ObjectSizeGreaterThan": 5, "Tags": [{"Key": "a", "Value": "b"}]}
    rules = [
        {
            "ID": "first",
            "Status": "Enabled",
            "Filter": {"And": both},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        },
        {
            "Status": "Disabled",
            "Filter": {"ObjectSizeLessThan": 9},
            "Expiration": {"Days": 1},
        },
    ]
    put = s3.put_bucket_lifecycle_configuration
    told = put(
        **NAMED,
        LifecycleConfiguration={"Rules": rules},
        TransitionDefaultMinimumObjectSize="varies_by_storage_class",
    )
    found = s3.get_bucket_lifecycle_configuration(**NAMED)
    size = "TransitionDefaultMinimumObjectSize"
    assert told[size] == found[size] == "varies_by_storage_class"
    name = found["Rules"][1].pop("ID")
    assert found["Rules"] == rules
    assert len(name) > 20  # S3's own
    s3.delete_bucket_lifecycle(**NAMED)
    code = error_code(lambda: s3.get_bucket_lifecycle_configuration(**NAMED))
    assert code == "NoSuchLifecycleConfiguration"


@pytest.mark.parametrize(
    ("names", "code"),
    [(["same", "same"], "InvalidArgument"), (["x" * 256], "InvalidArgument"), ([], "MalformedXML")],
)
def test_a_lifecycle_that_s3_refuses(s3: Any, names: list[str], code: str) -> None:
    rules = [
        {"ID": name, "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        for name in names
    ]
    put = s3.put_bucket_lifecycle_configuration
    assert error_code(lambda: put(**NAMED, LifecycleConfiguration={"Rules": rules})) == code
    after = error_code(lambda: s3.get_bucket_lifecycle_configuration(**NAMED))
    assert after == "NoSuchLifecycleConfiguration"


RULE = b"<LifecycleConfiguration><Rule>%b</Rule></LifecycleConfiguration>"
DAYS = RULE % b"<Expiration><Days>%b</Days></Expiration>"
MALFORMED = {
    "unknown encoding": b'<?xml version="1.0" encoding="bogus"?><a/>',
    "several bytes": b'<?xml version="1.0" encoding="cp932"?><a/>',
    "entities": b'<!DOCTYPE a [<!ENTITY a "b">]>' + RULE % b"",
    "no number": DAYS % b"x",
    "too large a number": DAYS % (b"9" * 20),
}


@pytest.mark.parametrize("why", MALFORMED)
def test_a_lifecycle_that_cannot_be_read_is_malformed(s3: Any, why: str) -> None:
    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = MALFORMED[why]

    s3.meta.events.register("before-call.s3.PutBucketLifecycleConfiguration", replace)
    put = s3.put_bucket_lifecycle_configuration
    code = error_code(lambda: put(**NAMED, LifecycleConfiguration={"Rules": []}))
    assert code == "MalformedXML"


def test_tags_with_entities_are_malformed(s3: Any) -> None:
    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = b'<!DOCTYPE a [<!ENTITY a "b">]><Tagging><TagSet/></Tagging>'

    s3.meta.events.register("before-call.s3.PutBucketTagging", replace)
    put = s3.put_bucket_tagging
    assert error_code(lambda: put(**NAMED, Tagging={"TagSet": []})) == "MalformedXML"


@pytest.mark.parametrize("principal", [5, "somebody", {"AWS": 5}, {"AWS": [["*"]]}, ["*"]])
def test_a_policy_for_no_principal_is_malformed(s3: Any, principal: Any) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "*"}
    text = json.dumps({"Statement": [statement]})
    assert error_code(lambda: s3.put_bucket_policy(**NAMED, Policy=text)) == "MalformedPolicy"


def test_conditions_that_are_not_looked_at_delete_nothing(s3: Any) -> None:
    s3.put_object(**OBJECT, Body=b"x")
    for name, value in (("ETag", '"other"'), ("Size", 5)):
        some = {"Objects": [{"Key": OBJECT["Key"], name: value}]}
        code = error_code(lambda some=some: s3.delete_objects(**NAMED, Delete=some))  # type: ignore[misc]
        assert code == "NotImplemented"
    assert error_code(lambda: s3.delete_object(**OBJECT, IfMatchSize=5)) == "NotImplemented"
    assert error_code(lambda: s3.delete_object(**OBJECT, IfMatch='"other"')) == "PreconditionFailed"
    assert s3.head_object(**OBJECT)["ContentLength"] == 1
    s3.delete_objects(**NAMED, Delete={"Objects": [{"Key": "<ETag>"}, {"Key": OBJECT["Key"]}]})
    assert "Contents" not in s3.list_objects_v2(**NAMED)


def test_locks_need_a_bucket_that_has_them(account: Account, s3: Any) -> None:
    s3.put_object(**OBJECT, Body=b"x")
    asked = (s3.get_object_retention, s3.get_object_legal_hold)
    for ask in asked:
        assert error_code(lambda ask=ask: ask(**OBJECT)) == "InvalidRequest"  # type: ignore[misc]
    locked = {"Bucket": "locked", "Key": "key"}
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.put_object(**locked, Body=b"x")
    for ask in asked:
        code = error_code(lambda ask=ask: ask(**locked))  # type: ignore[misc]
        assert code == "NoSuchObjectLockConfiguration"
    s3.put_object_legal_hold(**locked, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(**locked)["LegalHold"] == {"Status": "ON"}
