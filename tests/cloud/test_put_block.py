"""PutSnapshotBlock as nitro makes it, beside botocore's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse, HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from nitro.cloud import ApiError, Cloud
from nitro.cloud.disk import BLOCK_SIZE
from nitro.cloud.put_block import BlockSender, Signature
from tests.cloud.conftest import connect, recorded

BLOCK = b"\1" * BLOCK_SIZE
NOW = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)


@pytest.mark.extended
@given(
    secret=st.text("abcXYZ019/+", min_size=1),
    token=st.none() | st.text("abcXYZ019/+=", min_size=1),
    value=st.text("abc019+/=", min_size=1),
)
def test_the_signature_is_botocores(secret: str, token: str | None, value: str) -> None:
    path, headers = "/snapshots/snap-1/blocks/7", {"x-amz-Checksum": value}
    credentials = Credentials("AKID", secret, token)
    signature = Signature("ebs.eu-central-1.amazonaws.com", "eu-central-1", "ebs")
    ours = signature.sign("PUT", path, headers, credentials.get_frozen_credentials(), NOW)

    url = f"https://ebs.eu-central-1.amazonaws.com{path}"
    request = AWSRequest("PUT", url, headers=headers, data=BLOCK)
    request.context |= {"payload_signing_enabled": False, "timestamp": f"{NOW:%Y%m%dT%H%M%SZ}"}
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    theirs = SigV4Auth(credentials, "ebs", "eu-central-1")
    canonical = theirs.canonical_request(request)
    signed = theirs.signature(theirs.string_to_sign(request, canonical), request)
    assert ours["Authorization"].endswith(f"Signature={signed}")
    assert (
        f"SignedHeaders={theirs.signed_headers(theirs.headers_to_sign(request))},"
        in (ours["Authorization"])
    )


@pytest.fixture
def snapshot_id(cloud: Cloud) -> str:
    started = cloud.ebs.start_snapshot(
        VolumeSize=1, Tags=[{"Key": "nitro:owner", "Value": "nitro"}]
    )
    return started["SnapshotId"]


def put(cloud: Cloud, snapshot_id: str) -> list[BaseException]:
    """Returns what was heard of failures that were followed by another attempt."""
    heard: list[BaseException] = []
    digest = hashlib.sha256(BLOCK).digest()
    BlockSender(cloud, heard.append).put(snapshot_id, 3, BLOCK, digest)
    return heard


@pytest.mark.extended
def test_the_call_is_seen_as_botocores_is(cloud: Cloud, snapshot_id: str) -> None:
    ours, theirs = connect(), connect()
    calls = recorded(ours), recorded(theirs)
    put(ours, snapshot_id)
    theirs.ebs.put_snapshot_block(
        SnapshotId=snapshot_id,
        BlockIndex=3,
        BlockData=BLOCK,
        DataLength=BLOCK_SIZE,
        Checksum=calls[0][0].params["Checksum"],
        ChecksumAlgorithm="SHA256",
    )
    assert calls[0] == calls[1]


@pytest.mark.extended
def test_the_request_is_botocores(cloud: Cloud, snapshot_id: str) -> None:
    sent: list[Any] = []
    user = connect()
    user.session.events.register_first(
        "before-send.ebs.PutSnapshotBlock", lambda request, **_: sent.append(request)
    )
    put(user, snapshot_id)
    user.ebs.put_snapshot_block(
        SnapshotId=snapshot_id,
        BlockIndex=3,
        BlockData=BLOCK,
        DataLength=BLOCK_SIZE,
        Checksum=sent[0].headers["x-amz-Checksum"],
        ChecksumAlgorithm="SHA256",
    )
    ours, theirs = sent
    assert (ours.method, ours.url, ours.body) == (theirs.method, theirs.url, theirs.body)
    ignored = {"authorization", "x-amz-date", "user-agent", "expect", "amz-sdk-invocation-id"}
    ignored |= {"amz-sdk-request", "content-type"}
    assert _headers(ours, ignored) == _headers(theirs, ignored)


def _headers(request: Any, ignored: set[str]) -> dict[str, str]:
    def text(value: str | bytes) -> str:
        return value.decode() if isinstance(value, bytes) else value

    return {
        name.lower(): text(value)
        for name, value in request.headers.items()
        if name.lower() not in ignored
    }


def answer_once(cloud: Cloud, status: int, body: bytes, headers: dict[str, str]) -> None:
    """What the service answers to the first request."""
    left = [body]

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield body

    def handle(**_: Any) -> AWSResponse | None:
        if not left:
            return None
        left.pop()
        fields = HTTPHeaders()
        for name, value in headers.items():
            fields[name] = value
        return AWSResponse("", status, fields, Raw())

    events: Any = cloud.session.events  # its stubs do not know that handlers may answer
    events.register_first("before-send.ebs.PutSnapshotBlock", handle)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "RequestThrottledException", "RESOURCE_LEVEL_THROTTLE"),
        (500, "InternalServerException", ""),
        (503, "ServiceUnavailable", ""),
        (400, "ValidationException", "WRITE_REQUEST_TIMEOUT"),
        (400, "ValidationException", "CONFLICTING_BLOCK_UPDATE"),
    ],
)
def test_what_the_service_asks_for_again_is_heard_and_sent_again(
    cloud: Cloud, snapshot_id: str, status: int, code: str, reason: str
) -> None:
    user = connect()
    body = f'{{"Message": "again", "Reason": "{reason}"}}'.encode()
    answer_once(user, status, body, {"x-amzn-ErrorType": code})
    assert len(put(user, snapshot_id)) == 1


@pytest.mark.extended
def test_a_refusal_is_not_repeated(cloud: Cloud, snapshot_id: str) -> None:
    user = connect()
    body = b'{"Message": "no such block", "Reason": "INVALID_BLOCK"}'
    answer_once(user, 400, body, {"x-amzn-ErrorType": "ValidationException"})
    with pytest.raises(ApiError, match="no such block") as caught:
        put(user, snapshot_id)
    assert caught.value.code == "ValidationException"


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"'])
def test_an_answer_that_cannot_be_understood_is_an_error(
    cloud: Cloud, snapshot_id: str, body: bytes
) -> None:
    user = connect()
    answer_once(user, 403, body, {})
    with pytest.raises(ApiError, match="ebs:PutSnapshotBlock"):
        put(user, snapshot_id)
