"""What a download asks of servers and buckets, and what comes of each answer."""

from __future__ import annotations

import email.message
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, InvalidURL
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound

from nitro.cloud import Cloud, download
from tests.cloud.answers import Answering
from tests.cloud.handed import Handed

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="nothing is called"),
]


class Body(io.BytesIO):
    """Notes how much is asked for at a time."""

    def __init__(self, aws: Answering, data: bytes, failure: Exception | None = None) -> None:
        super().__init__(data)
        self._aws, self._failure = aws, failure

    def read(self, size: int | None = -1, /) -> bytes:
        self._aws.note(f"read {size}")
        found = super().read(size)
        if self._failure and not found:
            raise self._failure
        return found


def test_downloads(
    aws: Answering, handed: Handed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(download, "_BLOCK", 4)
    out, session = tmp_path / "out", list[Any]()

    def fetch(_: Cloud, url: str, *given: str) -> object:
        named: Any = dict(zip(("profile", "region"), given, strict=False))
        out.unlink(missing_ok=True)
        try:
            with pytest.MonkeyPatch.context() as patch:
                if session:
                    patch.setattr(boto3, "Session", session[-1])
                download.download(url, out, aws.stage, **named)
        finally:
            aws.note(f"written {out.read_bytes() if out.exists() else None!r}")
        return "done"

    @contextmanager
    def answered(data: bytes, length: object, failure: Exception | None = None) -> Iterator[Any]:
        headers = {} if length is None else {"Content-Length": length}
        yield SimpleNamespace(headers=headers, read=Body(aws, data, failure).read)
        aws.note("closed")

    def web(*given: Any, **named: Any) -> None:
        def ask(*_: Any, **__: Any) -> Any:
            return answered(*given, **named)

        handed.stand_in("urllib.request.urlopen", ask)

    web(b"123456789", "9")
    for url in (
        "https://h/a",
        "http://h/a b/é%20?x=[1]#f",
        "HTTP://h/a",
        "ftp://h/a",
        "https:///a",
        "https://h",
        "https://h/",
        "https://h//",
        "s3://",
        "https://[::1/a",
        "plain",
    ):
        aws.case(url, fetch, {}, url)
        aws.case(f"is {url} a URL", lambda _, u: download.is_url(u), {}, url)
    for title, given in {
        "of unknown size": (b"12345", None),
        "empty": (b"", "0"),
        "shorter": (b"12345", "6"),
        "longer": (b"12345", "4"),
        "broken off": (b"1234", "8", ConnectionResetError("reset")),
        "timed out": (b"1234", "8", TimeoutError("slow")),
        "half an answer": (b"1234", "8", HTTPException("half")),
        "a defect": (b"1234", "8", KeyError("x")),
    }.items():
        web(*given)
        aws.case(title, fetch, {}, "https://h/a")
    monkeypatch.setattr(download, "_LARGEST", 8)
    for size in (8, 9):
        web(b"x" * size, f"{size}")
        aws.case(f"{size} bytes, at most 8", fetch, {}, "https://h/a")
    for error in (
        urllib.error.HTTPError("https://h/a", 404, "Not Found", email.message.Message(), None),
        urllib.error.URLError("nobody there"),
        InvalidURL("control characters"),
        UnicodeError("label too long"),
        TimeoutError("slow"),
        ConnectionRefusedError("refused"),
        HTTPException("no HTTP"),
    ):
        handed.stand_in("urllib.request.urlopen", error)
        aws.case(f"{type(error).__name__}", fetch, {}, "https://h/a")

    def bucket(answer: Any) -> None:
        client = SimpleNamespace(get_object=handed.of("get_object", answer))
        made = SimpleNamespace(client=handed.of("client", client))
        session.append(handed.of("Session", made))

    def object_of(data: bytes) -> Any:
        return lambda **_: {"Body": Body(aws, data), "ContentLength": len(data)}

    bucket(object_of(b"12345"))
    aws.case("from a bucket", fetch, {}, "s3://mine/a/b c")
    aws.case("with a profile", fetch, {}, "s3://mine//a", "p", "r")
    denied: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    for refusal in (ClientError(denied, "GetObject"), NoCredentialsError()):
        bucket(refusal)
        aws.case(f"bucket: {type(refusal).__name__}", fetch, {}, "s3://mine/a")
    session.append(handed.of("Session", ProfileNotFound(profile="p")))
    aws.case("no profile", fetch, {}, "s3://mine/a", "p")
    aws.compare("downloads")
