"""S3 operations that are told apart by a word in the query."""

from __future__ import annotations

from typing import Any

import pytest
from moto.moto_server.werkzeug_app import create_backend_app

from nitro.local.aws import s3_operations

from .conftest import BUCKET, Account, error_code

OTHERS = {
    name: selector
    for name, selector in s3_operations.selectors().items()
    if not s3_operations.honoured(name)
}
POLICY = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", '


@pytest.fixture
def s3(account: Account) -> Any:
    account.s3.create_bucket(Bucket=BUCKET)
    return account.s3


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_is_not_honoured_does_nothing(account: Account, s3: Any, name: str) -> None:
    """Not even what the request would do without its word."""
    method, subject, word = OTHERS[name]
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"kept")
    empty = f"{BUCKET}-empty"
    s3.create_bucket(Bucket=empty)
    path = f"{BUCKET}/key" if subject == "object" else empty
    answer = (
        create_backend_app("s3")
        .test_client()
        .open(f"/{path}?{word}&id=x", method=method, data=b"<a/>")
    )
    assert answer.status_code == 501
    assert "<Code>NotImplemented</Code>" in answer.text
    assert word in answer.text
    assert s3.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"kept"
    assert len(s3.list_buckets()["Buckets"]) == 2


def test_a_bucket_has_no_configurations_that_cannot_be_made(s3: Any) -> None:
    for kind in ("analytics", "intelligent_tiering", "metrics"):
        listed = getattr(s3, f"list_bucket_{kind}_configurations")(Bucket=BUCKET)
        assert listed["IsTruncated"] is False
        assert not [name for name in listed if name.endswith("List")]
        one = getattr(s3, f"get_bucket_{kind}_configuration")
        assert error_code(lambda one=one: one(Bucket=BUCKET, Id="x")) == "NoSuchConfiguration"  # type: ignore[misc]
    assert s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"] == "BucketOwner"
    absent = error_code(lambda: s3.get_bucket_request_payment(Bucket="absent"))
    assert absent == "NoSuchBucket"


@pytest.mark.parametrize(
    "policy",
    [
        "{nonsense",
        "[]",
        "{}",
        '{"Statement": "x"}',
        '{"Statement": [{"Effect": "Allow"}]}',
        "[" * 9999,
    ],
)
def test_a_bucket_policy_that_is_none_is_refused(s3: Any, policy: str) -> None:
    code = error_code(lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy=policy))
    assert code == "MalformedPolicy"
    s3.delete_bucket(Bucket=BUCKET)


def test_a_bucket_policy_is_kept(s3: Any) -> None:
    policy = POLICY + f'"Resource": "arn:aws:s3:::{BUCKET}/*"}}]}}'
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == policy


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UPPER", "InvalidBucketName"),
        ("under_score", "InvalidBucketName"),
        ("ab", "InvalidBucketName"),
        ("a" * 64, "InvalidBucketName"),
        ("two..dots", "InvalidBucketName"),
        ("-begins", "InvalidBucketName"),
        ("ends-", "InvalidBucketName"),
        ("192.168.5.4", "InvalidBucketName"),
        ("sthree-name", "InvalidBucketName"),
        ("name-s3alias", "InvalidBucketName"),
        ("a.b-c.9", None),
        ("a" * 63, None),
    ],
)
def test_a_bucket_has_a_name_of_aws(account: Account, name: str, code: str | None) -> None:
    def create() -> None:
        account.s3.create_bucket(Bucket=name)

    if code is None:
        create()
    else:
        assert error_code(create) == code


def test_a_key_has_so_many_bytes(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k" * 1024)
    for key in ("k" * 1025, "ü" * 513):
        code = error_code(lambda key=key: s3.put_object(Bucket=BUCKET, Key=key))  # type: ignore[misc]
        assert code == "KeyTooLongError"
