"""What S3 answers to requests as they are on the wire: headers, trailers, signatures, numbers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.server import create_backend_app
from werkzeug.test import Client

from nitro.local.aws import quotas
from nitro.local.aws.checksums import ALGORITHMS, encoded
from tests.cloud.local.conftest import Account
from tests.cloud.local.tour import Notes
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
SIGNED = "AWS4-HMAC-SHA256 Credential=X/20260101/{}/s3/aws4_request, SignedHeaders=host"
_SHOWN = {"content-type", "content-range", "etag", "accept-ranges", "location"}
_DRAWN = re.compile(
    r"<(RequestId|UploadId|LastModified|Initiated|CreationDate|HostId|VersionId|HostID)>[^<]*<"
)


class Wire(Notes):
    """Requests, and all of their answers but what is drawn and what the time is."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(create_backend_app("s3"))

    def __call__(
        self, line: str, body: bytes | str = b"", *, signed: str = "us-east-1", **headers: str
    ) -> Any:
        method, path = line.split(" ", 1)
        data = body.encode() if isinstance(body, str) else body
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": SIGNED.format(signed)} if signed else {}
        answer = self.client.open(path, method=method, data=data, headers={**sent, **given})
        shown = {k: v for k, v in sorted(answer.headers.items()) if self._counts(k.lower())}
        text = _DRAWN.sub(r"<\1>…<", answer.get_data().decode(errors="replace"))
        title = f"{line} {given or ''} {f'signed for {signed}' if signed != 'us-east-1' else ''}"
        if data:
            title += f" with {data[:300]!r}"
        self.note(title.strip(), [answer.status_code, shown, *self._cut(text).splitlines()])
        return answer

    @staticmethod
    def _counts(name: str) -> bool:
        return name in _SHOWN or (name.startswith("x-amz") and "request" not in name)


@pytest.fixture
def wire(account: Account) -> Wire:
    return Wire()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def test_regions_and_numbers(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire("PUT /mine")
    wire("PUT /mine/key", b"0123456789")
    for signed in ("us-east-1", "eu-west-1", "moon-1", "", "cn-north-1"):
        for line in ("GET /mine", "GET /mine?location", "PUT /mine", "PUT /mine/new", "GET /none"):
            wire(line, signed=signed)
        wire("GET /mine/key", signed=signed)
    credential = "X-Amz-Credential=X%2F20260101%2F{}%2Fs3%2Faws4_request"
    for region in ("us-east-1", "eu-west-1"):
        wire(f"GET /mine/key?{credential.format(region)}", signed="")
        wire(f"GET /mine/key?{credential.format(region)}", signed="eu-west-1")
    for scope in ("X/2026/eu-west-1/s3/aws4_request", "X/20260101/eu-west-1/ec2/aws4_request"):
        wire("GET /mine", signed="", Authorization=f"AWS4-HMAC-SHA256 Credential={scope}")
    for name in ("max-keys", "max-parts", "part-number-marker", "max-uploads", "max-buckets"):
        for value in ("", "x", "-1", "0", "1", "9999999999", "10000000000", "٣", "1.5"):
            if name == "max-keys" or value in ("x", "1"):
                wire(f"GET /mine?{name}={value}")
    for value in ("0", "1", "2", "x"):
        wire(f"GET /mine/key?partNumber={value}")
        wire(f"HEAD /mine/key?partNumber={value}")
    wire("GET /mine?metrics&max-keys=x")
    wire("GET /mine?torrent&max-keys=x")
    wire("PUT /mine?accelerate&max-keys=x")
    wire("PUT /mine/key?torrent&partNumber=x")
    wire(f"PUT /mine/{'k' * 1025}?torrent")
    wire(f"PUT /mine/{'k' * 1025}", signed="eu-west-1")
    wire("PUT /mine/key", b"x", signed="eu-west-1", If_None_Match="*")
    wire("PUT /mine/key", b"x", If_None_Match="*")
    monkeypatch.setattr(quotas, "BUCKETS", quotas.Quota("buckets", 2, "TooManyBuckets"))
    wire("PUT /a..b")
    wire("PUT /second")
    wire("PUT /third")
    wire("PUT /x..y")
    compare(HERE / "wire-regions.txt", wire.text)


def test_checksums_on_the_wire(wire: Wire) -> None:
    wire("PUT /mine")
    data = b"some bytes"
    for name in ALGORITHMS:
        header = f"x_amz_checksum_{name.lower()}"
        wire("PUT /mine/key", data, **{header: encoded(name, data)})
        wire("HEAD /mine/key", x_amz_checksum_mode="ENABLED")
        wire("HEAD /mine/key", x_amz_checksum_mode="enabled")
        wire("PUT /mine/key", data, **{header: encoded(name, b"others")})
        wire("PUT /mine/key", data, x_amz_sdk_checksum_algorithm=name)
        wire("PUT /mine/key", data, x_amz_sdk_checksum_algorithm=name.lower())
    for name in ("MD5", "x", ""):
        wire("PUT /mine/key", data, x_amz_sdk_checksum_algorithm=name)
    for value in (
        *(md5(data), md5(b"x"), md5(data)[:-1], "", "x", "ü".encode("latin-1").decode("latin-1")),
        base64.b64encode(b"x" * 15).decode(),
        base64.b64encode(b"x" * 17).decode(),
        md5(data) + "!",
    ):
        wire("PUT /mine/key", data, Content_MD5=value)
    right, wrong = encoded("SHA256", data), encoded("SHA256", b"x")
    for trailer, said in (
        ("x-amz-checksum-sha256", f"x-amz-checksum-sha256:{right}"),
        (" X-Amz-Checksum-SHA256 ", f"x-amz-checksum-sha256:{right}"),
        ("x-amz-checksum-sha256", f"x-amz-checksum-sha256:{wrong}"),
        ("x-amz-checksum-sha256", f"x-amz-checksum-sha1:{wrong}"),
        ("x-amz-checksum-md5", f"x-amz-checksum-md5:{wrong}"),
        ("x-amz-checksum-sha256", "nothing"),
        ("x-amz-checksum-sha256", f"x-amz-checksum-sha256:{wrong}\r\n{'x' * 200}"),
        ("x-amz-checksum-sha256", f"x-amz-checksum-sha256:{wrong}\r\n{'x' * 120}"),
    ):
        body = b"a\r\n" + data + b"\r\n0\r\n" + said.encode() + b"\r\n\r\n"
        more = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
        wire("PUT /mine/key", body, x_amz_trailer=trailer, **more)
        wire("GET /mine/key")
    wire("PUT /mine/key", data, x_amz_checksum_sha256="")
    wire("PUT /mine/key", data, Content_MD5=md5(b"x"), x_amz_checksum_sha256=wrong)
    wire("PUT /mine/key", data, x_amz_checksum_sha1=wrong, x_amz_checksum_sha256=right)
    compare(HERE / "wire-checksums.txt", wire.text)


def test_objects_on_the_wire(wire: Wire) -> None:
    wire("PUT /mine")
    wire("PUT /mine/key", b"0123456789", x_amz_meta_a="b")
    for value in ("bytes=0-0", "bytes=9-9", "bytes=10-", "bytes=-3", "bytes=2-1", "x"):
        wire("GET /mine/key", Range=value)
    for header in ("If_Match", "If_None_Match"):
        for value in ("*", '"781e5e245d69b566979b86e28d23f2c7"', "x"):
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                wire(
                    f"{method} /mine/key",
                    b"0123456789" if method == "PUT" else b"",
                    **{header: value},
                )
            wire("PUT /mine/key", b"0123456789")
    for query in ("acl", "tagging", "retention", "legal-hold"):
        wire(f"PUT /mine/key?{query}", "x", If_None_Match="*")
        wire(f"GET /mine/key?{query}")
    wire("POST /mine/key?uploads", If_None_Match="x", x_amz_acl="public-read")
    wire("POST /mine/key?uploads", If_None_Match="x")
    wire("POST /mine/key", If_None_Match="x")
    wire("PUT /mine/key?partNumber=1&uploadId=x", If_None_Match="x", x_amz_acl="public-read")
    wire("POST /mine/key?uploadId=x", "<x/>", If_None_Match="x")
    wire("DELETE /mine/key", x_amz_if_match_size="1")
    wire("GET /mine/key", x_amz_if_match_size="1")
    for source in ("/mine/key", "mine/key", "mine%2Fkey", "none/key", "mine/none", "mine", ""):
        wire("PUT /mine/copy", x_amz_copy_source=source, x_amz_copy_source_if_match="x")
        wire("PUT /mine/copy", x_amz_copy_source=source)
    wire("PUT /mine/copy", x_amz_copy_source="mine/key?versionId=null")
    wire("PUT /mine/copy", x_amz_copy_source="mine/key?versionId=x", x_amz_copy_source_if_match="x")
    body = "<Delete><Object><Key>{}</Key>{}</Object></Delete>"
    for key, more in (
        *(("key", "<ETag>x</ETag>"), ("key", "<Size>1</Size>"), ("key", "<Size />"), ("none", "")),
        *(("key", "<LastModifiedTime>x</LastModifiedTime>"), ("&lt;ETag&gt;", ""), ("key", "")),
    ):
        wire("POST /mine?delete", body.format(key, more))
    wire("POST /none?delete", body.format("key", "<ETag>x</ETag>"))
    wire("POST /mine?delete", "x")
    wire("HEAD /mine/key")
    wire("GET /none/key", If_Match="x")
    wire("PUT /none/key", b"x", If_None_Match="*", x_amz_acl="public-read")
    compare(HERE / "wire-objects.txt", wire.text)


def test_buckets_on_the_wire(wire: Wire) -> None:
    wire("PUT /mine")
    for header, value in (
        *(("x_amz_acl", acl) for acl in ("private", "public-read", "bucket-owner-full-control")),
        *(("x_amz_grant_read", who) for who in ("id=x", "x", 'uri="a", id=b')),
    ):
        wire("PUT /mine?acl", **{header: value})
        wire("PUT /mine/key", b"x", **{header: value})
        for number, ownership in enumerate(("ObjectWriter", "BucketOwnerEnforced", "")):
            more = {"x_amz_object_ownership": ownership} if ownership else {}
            wire(f"PUT /new-{header.replace('_', '-')}-{number}", **{header: value}, **more)
    wire("PUT /mine?acl", "<AccessControlPolicy/>")
    rule = "<LifecycleConfiguration{}>{}</LifecycleConfiguration>"
    one = "<Rule><ID>{}</ID><Status>Enabled</Status><Filter/>"
    one += "<Expiration><Days>{}</Days></Expiration></Rule>"
    space = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    for body in (
        *(rule.format("", ""), rule.format("", "<Other/>"), rule.format(space, one.format("a", 1))),
        *(rule.format("", one.format("a", days)) for days in ("", "0", "²", "-1", "1.5", " 7 ")),
        *(rule.format("", one.format("a", "9" * n)) for n in (15, 16)),
        *(rule.format("", one.format("n" * n, 1)) for n in (254, 255, 256)),
        rule.format("", one.format("a", 1) * 2),
        rule.format("", "".join(one.format(f"r{n}", 1) for n in range(1000))),
        rule.format("", "".join(one.format(f"r{n}", 1) for n in range(1001))),
        '<?xml version="1.0" encoding="x"?><a/>',
        "<!DOCTYPE a><a/>" + rule.format("", one.format("a", 1)),
        *("<a>", "", "\x00"),
    ):
        wire("PUT /mine?lifecycle", body)
        wire("GET /mine?lifecycle")
    for size in ("all_storage_classes_128K", "varies_by_storage_class", "x", ""):
        name = {"x_amz_transition_default_minimum_object_size": size}
        wire("PUT /mine?lifecycle", rule.format(space, one.format("a", 1)), **name)
        wire("GET /mine?lifecycle")
    wire("DELETE /mine?lifecycle")
    wire("GET /mine?lifecycle")
    wire("PUT /none?lifecycle", rule.format("", one.format("a", 1)))
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::mine/*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": allow})
    wire("PUT /mine?policy", text)
    wire("PUT /mine?policy", text.replace("Allow", "Deny"))
    wire("GET /mine?policyStatus")
    wire("GET /none?policyStatus")
    wire("PUT /none?policy", text)
    block = "<PublicAccessBlockConfiguration>{}</PublicAccessBlockConfiguration>"
    wire(
        "PUT /mine?publicAccessBlock", block.format("<BlockPublicPolicy>false</BlockPublicPolicy>")
    )
    wire("PUT /mine?policy", text)
    wire("GET /mine?policyStatus")
    for query in ("analytics", "analytics&id=x", "requestPayment", "inventory&id=x", "metrics"):
        for bucket in ("mine", "none"):
            wire(f"GET /{bucket}?{query}")
    wire("GET /?max-buckets=x")
    wire("GET /")
    compare(HERE / "wire-buckets.txt", wire.text)
