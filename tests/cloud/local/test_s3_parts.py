"""Parts of an object, asked for by their numbers."""

from __future__ import annotations

from typing import Any

import moto.s3.models
import pytest
from botocore.exceptions import ClientError

from .conftest import BUCKET, Account, error_code

PARTS = (b"a" * 3000, b"b" * 2000, b"c" * 100)


@pytest.fixture
def s3(account: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With an object "parts" of PARTS, and another "whole"."""
    monkeypatch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", 1000)
    s3 = account.s3
    s3.create_bucket(Bucket=BUCKET)
    named = {"Bucket": BUCKET, "Key": "parts"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    sent = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(PARTS, 1)
    ]
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": sent})
    s3.put_object(Bucket=BUCKET, Key="whole", Body=b"abc")
    return s3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_part_comes_alone(s3: Any, number: int) -> None:
    asked = {"Bucket": BUCKET, "Key": "parts", "PartNumber": number}
    first = sum(map(len, PARTS[: number - 1]))
    got, head = s3.get_object(**asked), s3.head_object(**asked)
    assert got["Body"].read() == PARTS[number - 1]
    for answer in (got, head):
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentLength"] == len(PARTS[number - 1])
        assert answer["PartsCount"] == 3
    assert got["ContentRange"] == f"bytes {first}-{first + len(PARTS[number - 1]) - 1}/5100"


def test_what_was_uploaded_whole_is_one_part(s3: Any) -> None:
    got = s3.get_object(Bucket=BUCKET, Key="whole", PartNumber=1)
    assert (got["Body"].read(), got["ContentRange"]) == (b"abc", "bytes 0-2/3")


def test_a_part_that_there_is_not_is_refused(s3: Any) -> None:
    asked = {"Bucket": BUCKET, "Key": "parts", "PartNumber": 4}
    assert error_code(lambda: s3.get_object(**asked)) == "InvalidPartNumber"
    with pytest.raises(ClientError) as caught:
        s3.head_object(**asked)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_an_upload_that_there_is_not(s3: Any) -> None:
    named = {"Bucket": BUCKET, "Key": "parts", "UploadId": "nothing"}
    parts = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
    for attempt in (
        lambda: s3.complete_multipart_upload(**named, MultipartUpload=parts),
        lambda: s3.complete_multipart_upload(**{**named, "Key": "new"}, MultipartUpload=parts),
        lambda: s3.abort_multipart_upload(**named),
        lambda: s3.list_parts(**named),
        lambda: s3.upload_part(**named, PartNumber=1, Body=b"x"),
        lambda: s3.upload_part_copy(**named, PartNumber=1, CopySource=f"{BUCKET}/whole"),
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (
            "NoSuchUpload",
            404,
        )


@pytest.mark.parametrize("asked", [{}, {"ChecksumType": "FULL_OBJECT"}])
def test_a_part_comes_with_its_own_checksum(s3: Any, asked: dict[str, str]) -> None:
    """The client holds what it gets against it."""
    named = {"Bucket": BUCKET, "Key": "summed"}
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm="CRC32", **asked)["UploadId"]
    sent = []
    for number, part in enumerate(PARTS, 1):
        told = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=part)
        sums = {"ChecksumCRC32": told["ChecksumCRC32"]}
        sent.append({"PartNumber": number, "ETag": told["ETag"], **sums})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": sent})
    got = s3.get_object(**named, PartNumber=2)
    assert got["Body"].read() == PARTS[1]
    assert got["ChecksumCRC32"] == sent[1]["ChecksumCRC32"]
