"""S3's lists: keys of any characters, and uploads in pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import pytest
from moto.moto_server.werkzeug_app import create_backend_app

from .conftest import BUCKET, Account

KEYS = ["a b", "a%20b", "a&<b", "a+b", "x/y+z", "ü"]


@pytest.fixture
def s3(account: Account) -> Any:
    account.s3.create_bucket(Bucket=BUCKET)
    return account.s3


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

    plain, encoded = f"{query}&", f"{query}&encoding-type=url"
    assert texts(plain, "Key") == KEYS
    assert [unquote_plus(key) for key in texts(encoded, "Key")] == KEYS
    assert texts(encoded, "EncodingType") == ["url"]
    below = f"{encoded}&delimiter=%2B&prefix=x/y"
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
