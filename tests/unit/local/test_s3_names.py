"""The names of S3, and where a request for another region's bucket is sent."""

from __future__ import annotations

import fnmatch
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from nitro.local import s3_names
from nitro.local.s3_names import Place, elsewhere, place

NOW = datetime(2026, 1, 2, tzinfo=UTC)
YESTERDAY = NOW - timedelta(hours=25)
SOON = NOW - timedelta(minutes=1)


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-5", "cn-north-1"])
@pytest.mark.parametrize("dual", [False, True])
def test_the_names_that_clients_use_are_known_and_certified(region: str, dual: bool) -> None:
    for style, bucket in (("path", ""), ("virtual", "my.own-1"), ("virtual", "plain")):
        s3: Any = {"addressing_style": style, "us_east_1_regional_endpoint": "regional"}
        config = Config(s3=s3, use_dualstack_endpoint=dual)
        client = boto3.client(
            "s3",
            region_name=region,
            config=config,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        url = client.generate_presigned_url("get_object", Params={"Bucket": "plain", "Key": "k"})
        host = url.split("/")[2].replace("plain", bucket)
        found = place(f"{host}:443")
        assert found is not None
        assert (found.region, found.bucket) == (region, bucket)
        names = s3_names.certified(region)
        # A wildcard stands for one label, at AWS, too.
        fits = [n for n in names if fnmatch.fnmatch(host, n) and n.count(".") == host.count(".")]
        assert bool(fits) == ("." not in bucket)


def test_the_global_name_is_certified_with_its_region() -> None:
    assert "*.s3.amazonaws.com" in s3_names.certified("us-east-1")
    assert "*.s3.amazonaws.com" not in s3_names.certified("eu-west-1")


@pytest.mark.parametrize(
    "host",
    ["", "169.254.170.1", "example.com", "s3.amazonaws.com.example.com", "xs3.amazonaws.com"],
)
def test_other_names_are_not_of_s3(host: str) -> None:
    assert place(host) is None
    assert elsewhere(host, "/b/k", lambda _: ("eu-west-1", SOON), NOW) is None


def test_a_name_is_taken_apart() -> None:
    assert place("S3.Amazonaws.com") == Place("s3.amazonaws.com", None, "")
    assert place("a.b.s3.eu-west-1.amazonaws.com.") == Place(
        "s3.eu-west-1.amazonaws.com", "eu-west-1", "a.b"
    )


@pytest.mark.parametrize(
    ("host", "target", "region", "made", "answer"),
    [
        ("b.s3.us-west-2.amazonaws.com", "/k?x=1", "eu-west-1", YESTERDAY, (301, None)),
        ("s3.us-west-2.amazonaws.com", "/b/k", "eu-west-1", SOON, (301, None)),
        ("b.s3.us-east-1.amazonaws.com", "/k", "eu-west-1", SOON, (301, None)),
        (
            *("b.s3.amazonaws.com", "/k?x=1", "eu-west-1", SOON),
            (307, "https://b.s3.eu-west-1.amazonaws.com/k?x=1"),
        ),
        (
            *("s3.amazonaws.com", "/b/k", "eu-west-1", SOON),
            (307, "https://s3.eu-west-1.amazonaws.com/b/k"),
        ),
        ("b.s3.amazonaws.com", "/k", "eu-west-1", YESTERDAY, None),
        ("b.s3.amazonaws.com", "/k", "ap-southeast-5", YESTERDAY, (400, None)),
        ("b.s3.amazonaws.com", "/k", "us-east-1", SOON, None),
        ("b.s3.eu-west-1.amazonaws.com", "/k", "eu-west-1", SOON, None),
        ("b.s3.dualstack.eu-west-1.amazonaws.com", "/k", "eu-west-1", SOON, None),
    ],
)
def test_a_request_is_sent_to_its_buckets_region(
    host: str, target: str, region: str, made: datetime, answer: tuple[int, str | None] | None
) -> None:
    asked: list[str] = []

    def home_of(bucket: str) -> tuple[str, datetime]:
        asked.append(bucket)
        return region, made

    found = elsewhere(host, target, home_of, NOW)
    assert asked == ["b"]
    assert (found and (found.status, found.location)) == answer
    if found:
        assert found.region == region
        said = found.amend("<Error><Code>x</Code><RequestId>1</RequestId></Error>")
        assert f"s3.{region}.amazonaws.com</Endpoint><Bucket>b</Bucket><RequestId>1" in said


def test_a_bucket_that_is_not_there_is_looked_for_where_it_was_asked_for() -> None:
    assert elsewhere("b.s3.eu-west-1.amazonaws.com", "/k", lambda _: None, NOW) is None
