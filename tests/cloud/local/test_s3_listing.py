"""Answers of S3: keys of any characters, uploads in pages, checksums of copies."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import pytest
from moto.moto_server.werkzeug_app import create_backend_app

from nitro.local.aws.checksums import ALGORITHMS, encoded

from .conftest import BUCKET, Account, error_code

KEYS = ["a b", "a%20b", "a&<b", "a+b", "x/y+z", "ü"]


@pytest.fixture
def s3(account: Account) -> Any:
    account.s3.create_bucket(Bucket=BUCKET)
    return account.s3


@pytest.mark.extended
@pytest.mark.parametrize("query", ["", "list-type=2", "versions", "uploads"])
def test_keys_are_encoded_as_asked_for(s3: Any, query: str) -> None:
    """SDKs decode what they asked to be encoded, a plus sign as a space."""
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
        s3.create_multipart_upload(Bucket=BUCKET, Key=key)

    def texts(query: str, element: str) -> list[str]:
        answer = create_backend_app("s3").test_client().get(f"/{BUCKET}?{query}")
        root = ElementTree.fromstring(answer.text)
        return [each.text or "" for each in root.iter() if each.tag.endswith("}" + element)]

    plain, quoted = f"{query}&", f"{query}&encoding-type=url"
    assert texts(plain, "Key") == KEYS
    assert [unquote_plus(key) for key in texts(quoted, "Key")] == KEYS
    assert texts(quoted, "EncodingType") == ["url"]
    below = f"{quoted}&delimiter=%2B&prefix=x/y"
    assert [unquote_plus(each) for each in texts(below, "Delimiter")] == ["+"]
    assert "x/y+" in [unquote_plus(each) for each in texts(below, "Prefix")]


def test_uploads_come_in_pages(s3: Any) -> None:
    made = [
        (key, s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])
        for key in ("a", "b", "b", "b", "c/d", "c/e", "f")
    ]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    found = [(each["Key"], each["UploadId"]) for page in pages for each in page.get("Uploads", [])]
    assert sorted(found) == sorted(made)
    assert [key for key, _ in found] == [key for key, _ in made]
    listed = s3.list_multipart_uploads(Bucket=BUCKET, Delimiter="/", KeyMarker="a", MaxUploads=4)
    assert [each["Key"] for each in listed["Uploads"]] == ["b", "b", "b"]
    assert listed["CommonPrefixes"] == [{"Prefix": "c/"}]
    assert (listed["IsTruncated"], listed["NextKeyMarker"]) == (True, "c/")
    listed = s3.list_multipart_uploads(Bucket=BUCKET, Delimiter="/", KeyMarker="c/")
    assert [each["Key"] for each in listed["Uploads"]] == ["f"]


def test_an_object_in_one_piece_has_no_second_part(account: Account) -> None:
    account.upload(b"disk")
    named = {"Bucket": BUCKET, "Key": "disk.raw"}
    assert account.s3.get_object(**named, PartNumber=1)["Body"].read() == b"disk"
    code = error_code(lambda: account.s3.get_object(**named, PartNumber=2))
    assert code == "InvalidPartNumber"


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("algorithm", "asked"),
    [("CRC32", None), ("SHA1", None), *(("SHA256", asked) for asked in (None, *ALGORITHMS))],
)
def test_a_copy_is_in_one_piece_and_has_the_checksum_of_all_of_it(
    account: Account, algorithm: Any, asked: Any
) -> None:
    s3, source = account.s3, {"Bucket": "b-1", "Key": "parts"}
    s3.create_bucket(Bucket="b-1")
    upload = s3.create_multipart_upload(**source, ChecksumAlgorithm=algorithm)["UploadId"]
    named = {**source, "UploadId": upload}
    parts: list[Any] = []
    for number, body in ((1, b"a" * (5 << 20)), (2, b"b")):
        sent = s3.upload_part(**named, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        names = ("ETag", f"Checksum{algorithm}")
        parts.append({"PartNumber": number, **{name: sent[name] for name in names}})
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    target = {"Bucket": "b-1", "Key": "copy"}
    wanted = {"ChecksumAlgorithm": asked} if asked else {}
    copy = s3.copy_object(**target, CopySource="b-1/parts", **wanted)["CopyObjectResult"]
    got = s3.get_object(**target, ChecksumMode="ENABLED")
    body = got["Body"].read()
    name = f"Checksum{asked or algorithm}"
    assert copy[name] == got[name] == encoded(asked or algorithm, body)
    assert copy["ChecksumType"] == got["ChecksumType"] == "FULL_OBJECT"
    assert copy["ETag"] == got["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert "PartsCount" not in s3.head_object(**target, PartNumber=1)
