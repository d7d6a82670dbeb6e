"""Writes to S3 that are made only on a condition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import BUCKET, Account, error_code

KEY = {"Bucket": BUCKET, "Key": "kept"}
OTHER = '"00"'


@pytest.fixture
def s3(account: Account) -> Any:
    """With one object."""
    account.s3.create_bucket(Bucket=BUCKET)
    account.s3.put_object(**KEY, Body=b"first")
    return account.s3


def complete(s3: Any, **condition: str) -> None:
    upload = {**KEY, "UploadId": s3.create_multipart_upload(**KEY)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"second")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, **condition)


WAYS: dict[str, Callable[..., Any]] = {
    "put": lambda s3, **condition: s3.put_object(**KEY, Body=b"second", **condition),
    "copy": lambda s3, **condition: s3.copy_object(
        **KEY, CopySource=f"{BUCKET}/source", **condition
    ),
    "complete": complete,
}


@pytest.mark.parametrize("way", WAYS)
def test_an_object_is_replaced_only_by_whom_the_condition_lets(s3: Any, way: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"second")
    write = WAYS[way]
    etag = s3.head_object(**KEY)["ETag"]
    for condition, code in (
        ({"IfNoneMatch": "*"}, "PreconditionFailed"),
        ({"IfMatch": OTHER}, "PreconditionFailed"),
        ({"IfNoneMatch": OTHER}, "NotImplemented"),
    ):
        assert error_code(lambda c=condition: write(s3, **c)) == code  # type: ignore[misc]
        assert s3.get_object(**KEY)["Body"].read() == b"first"
    write(s3, IfMatch=etag)
    assert s3.get_object(**KEY)["Body"].read() == b"second"
    s3.delete_object(**KEY)
    assert error_code(lambda: write(s3, IfMatch=etag)) == "NoSuchKey"
    write(s3, IfNoneMatch="*")
    assert s3.get_object(**KEY)["Body"].read() == b"second"


def test_a_copy_is_made_only_of_the_source_that_was_meant(s3: Any) -> None:
    etag = s3.head_object(**KEY)["ETag"]
    now = datetime.now(UTC)
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    refused: list[dict[str, Any]] = [
        {"CopySourceIfMatch": OTHER},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfUnmodifiedSince": before},
        {"CopySourceIfModifiedSince": after},
    ]
    taken: list[dict[str, Any]] = [
        {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": before},
        {"CopySourceIfNoneMatch": OTHER, "CopySourceIfModifiedSince": after},
        {"CopySourceIfModifiedSince": before},
        {"CopySourceIfUnmodifiedSince": after},
    ]
    target = {"Bucket": BUCKET, "Key": "copy", "CopySource": f"{BUCKET}/{KEY['Key']}"}
    for condition in refused:
        code = error_code(lambda c=condition: s3.copy_object(**target, **c))  # type: ignore[misc]
        assert code == "PreconditionFailed", condition
        assert error_code(lambda: s3.head_object(Bucket=BUCKET, Key="copy")) == "404"
    for condition in taken:
        s3.copy_object(**target, **condition)
        s3.delete_object(Bucket=BUCKET, Key="copy")


def test_a_copy_of_nothing_is_refused_as_such(s3: Any) -> None:
    for source in (f"{BUCKET}/absent", "absent/absent"):
        code = error_code(
            lambda source=source: s3.copy_object(  # type: ignore[misc]
                **KEY, CopySource=source, CopySourceIfMatch=OTHER
            )
        )
        assert code in ("NoSuchKey", "NoSuchBucket")


@pytest.mark.extended
def test_a_date_that_is_none_is_no_condition(s3: Any) -> None:
    def add(request: Any, **_: Any) -> None:
        request.headers["x-amz-copy-source-if-modified-since"] = (
            f"Mon, {'9' * 20} Jan 2020 00:00:00"
        )

    s3.meta.events.register("before-sign.s3.CopyObject", add)
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/{KEY['Key']}")
