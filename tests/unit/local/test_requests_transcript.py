"""Signatures, doors and S3's names at every boundary, as transcripts."""

from __future__ import annotations

import hashlib
import hmac
import io
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nitro.local import front, signature
from nitro.local.front import Door, GuestDoor
from nitro.local.signature import Key
from nitro.local.weather.gate import AnswerLost
from tests.transcripts import compare
from tests.unit.local.told import Told, shown

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
KEY = Key("ACCESS", "secret")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCOPE = "20260102/us-east-1/{}/aws4_request"
DATE = "20260102T030405Z"


@pytest.fixture(autouse=True)
def same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: "an-id")


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signed(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key.hex()


def request(
    service: str = "ec2",
    *,
    method: str = "POST",
    path: str = "/",
    signed_path: str = "",
    query: str = "",
    sent_query: str | None = None,
    body: bytes = b"Action=X",
    payload: str | None = None,
    headers: dict[str, str] | None = None,
    names: str = "host;x-amz-date",
    date: str = DATE,
    scope: str = "",
    access: str = "ACCESS",
    secret: str = "secret",
    environ: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A request with the signature that AWS describes, in its headers."""
    values = {"host": "127.0.0.1:5000", "x-amz-date": date, **(headers or {})}
    scope = scope or SCOPE.format(service)
    canonical = "\n".join(
        [
            *(method, signed_path or path, query),
            *(f"{name}:{' '.join(values.get(name, '').split())}" for name in names.split(";")),
            *("", names, hashed(body) if payload is None else payload),
        ]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashed(canonical.encode())])
    found = {
        "REQUEST_METHOD": method,
        "RAW_URI": path
        + (f"?{sent}" if (sent := query if sent_query is None else sent_query) else ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={access}/{scope}, "
        f"SignedHeaders={names}, Signature={signed(secret, scope, text)}",
    }
    for name, value in values.items():
        wsgi = name.upper().replace("-", "_")
        found[wsgi if wsgi in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{wsgi}"] = value
    return found | (environ or {})


def presigned(
    service: str = "s3",
    *,
    method: str = "GET",
    path: str = "/bucket/a%20key",
    date: str = DATE,
    expires: str = "60",
    payload: str = "UNSIGNED-PAYLOAD",
    host: str = "127.0.0.1:5000",
    more: str = "",
    body: bytes = b"",
) -> dict[str, Any]:
    scope = SCOPE.format(service)
    pairs = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"ACCESS/{scope}",
        "X-Amz-Date": date,
        "X-Amz-Expires": expires,
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in pairs.items())
    canonical = "\n".join([method, path, query, f"host:{host}", "", "host", payload])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashed(canonical.encode())])
    mark = signed("secret", scope, text)
    return {
        "REQUEST_METHOD": method,
        "RAW_URI": f"{path}?{query}&X-Amz-Signature={mark}{more}",
        "HTTP_HOST": host,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }


def authorization(text: str) -> dict[str, Any]:
    return {"environ": {"HTTP_AUTHORIZATION": text}}


GOOD = request()["HTTP_AUTHORIZATION"]


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "good", request()
    for service in ("s3", "ebs", "x"):
        yield f"of {service}", request(service)
    yield "PUT", request("s3", method="PUT", path="/a//b%20c/~x", body=b"")
    yield "encoded twice", request(path="/a%20b", signed_path="/a%2520b")
    yield "encoded once", request(path="/a%20b")
    yield "a path with ~", request(path="/~a")
    for query, sent in (
        ("a=1&b=2", "b=2&a=1"),
        ("a=1&a=2", "a=2&a=1"),
        ("a=&b=", "a&b="),
        ("a=%20", "a=+"),
        ("a=%2F-_.~", "a=/-_.~"),
        ("a=%FF", "a=%ff"),
        ("a=1", "a=1&&"),
        ("a=1", "a=1&X-Amz-Signature=x"),
        ("a=b%3Dc", "a=b=c"),
    ):
        yield f"a query {sent}", request(query=query, sent_query=sent)
    yield "another query", request(query="a=1", sent_query="a=2")
    yield "a type", request(headers={"content-type": " a   b "}, names="content-type;host")
    yield "a length", request(headers={"content-length": "8"}, names="content-length;host")
    yield "a header with spaces", request(headers={"x-a": "  b  c "}, names="host;x-a")
    yield "a header that is not sent", request(names="host;x-none")
    stated = {"x-amz-content-sha256": "STATED"}
    yield "a stated hash", request(payload="STATED", headers=stated)
    yield "no stated hash", request(payload="STATED")
    for size in (0, 9, 10, 11):
        yield f"a body of {size}", request(body=b"b" * size)
    yield "no length", request(body=b"", environ={"CONTENT_LENGTH": ""})
    yield "another key", request(access="OTHER")
    yield "another secret", request(secret="other")
    for text in (
        "",
        "Basic x",
        f" {GOOD} ",
        GOOD.replace(", ", ","),
        GOOD.replace(", ", ",  "),
        GOOD + "0",
        GOOD[:-1],
        GOOD[:-1] + "G",
        GOOD.replace("host;x-amz-date", "x-amz-date"),
        GOOD.replace("Credential=", "Credential= "),
    ):
        yield f"authorization {text[:25]!r}… {len(text)}", request(**authorization(text))
    for scope in (
        "20260102/us-east-1/ec2",
        "20260102/us-east-1/ec2/aws4_request/x",
        "20260103/us-east-1/ec2/aws4_request",
        "2026010/us-east-1/ec2/aws4_request",
        "202601020/us-east-1/ec2/aws4_request",
    ):
        yield f"scope {scope}", request(scope=scope)
    for date in ("", "x", "20260102T030405", "20260102T0304Z", "20260102T030405Z "):
        yield f"date {date!r}", request(date=date)
    for seconds in (-901, -900, -899, 0, 899, 900, 901):
        date = f"{NOW + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"
        yield f"signed {seconds} s later", request(date=date)
        yield f"a URL, {seconds} s later", presigned(date=date, expires="60")
    for expires in ("", "0", "1", "59", "60", "61", "x", "-1", "604800", "999999", "1000000"):
        date = f"{NOW - timedelta(seconds=60):%Y%m%dT%H%M%SZ}"
        yield f"a URL that lasts {expires}", presigned(date=date, expires=expires)
    yield "a URL of EC2", presigned("ec2", path="/", payload=hashed(b""))
    yield "a URL of EC2 without its body", presigned("ec2", path="/")
    yield "a URL with more", presigned(more="&x=1")
    yield "a URL of another method", {**presigned(), "REQUEST_METHOD": "PUT"}
    yield "a URL for another host", {**presigned(), "HTTP_HOST": "localhost"}
    url = presigned()["RAW_URI"]
    for old, new in (
        ("AWS4-HMAC-SHA256", "AWS4"),
        ("X-Amz-Credential", "X-Amz-Cred"),
        ("X-Amz-SignedHeaders", "X-Amz-Signed"),
        ("X-Amz-Signature", "X-Amz-Sign"),
        ("X-Amz-Date", "X-Amz-Day"),
        ("X-Amz-Expires", "X-Amz-Exp"),
    ):
        yield f"a URL without {old}", {**presigned(), "RAW_URI": url.replace(old, new, 1)}
    yield "nothing", {"REQUEST_METHOD": "GET", "RAW_URI": "/", "wsgi.input": io.BytesIO()}


def test_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(signature, "LARGEST_HASHED_BODY", 10)
    for name, environ in requests():
        try:
            service = signature.verify(environ, KEY, NOW)
            told.note(f"{name}: {service}, body {environ['wsgi.input'].read()!r}")
        except signature.Refused as refused:
            told.note(f"{name}: {refused.reason}, {refused.service!r}: {refused}")
    made = Key()
    told.note(f"{len(made.access)} {len(made.secret)} {made.access == made.access.upper()}")
    told.note(f"{made.secret in repr(made)} {Key().access == made.access}")
    compare(HERE / "signatures.txt", told.text)


class Answers:
    """What an application answered."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def __call__(self, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        self._told.note(f"    {status} {headers} {rest or ''}".rstrip())
        return lambda _: None


def ask(told: Told, what: str, app: Any, environ: dict[str, Any]) -> None:
    told.note(what)
    try:
        body = b"".join(app(environ, Answers(told)))
    except Exception as error:
        told.note(f"    raises {type(error).__name__} {error}")
        return
    told.note(f"    {shown(body.decode())}")


def test_doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(signature, "LARGEST_HASHED_BODY", 10)
    monkeypatch.setattr(front._log, "exception", told.stand_in("log"))
    errors: dict[str, Exception] = {"kms": ValueError("a fault"), "sts": AnswerLost("ec2:X")}

    def app_of(name: str) -> Any:
        told.note(f"    made {name}")

        def app(environ: dict[str, Any], start: Any) -> list[bytes]:
            if name in errors:
                raise errors[name]
            start("200 OK", [("Content-Type", "text/xml")])
            return [name.encode(), environ["wsgi.input"].read()]

        return app

    class Gate:
        def wrap(self, service: str, app: Any) -> Any:
            told.note(f"    wrapped {service}")
            return app

    gates: tuple[Any, ...] = (None, Gate())
    for gate in gates:
        door = Door(KEY, app_of, lambda: NOW, gate, {"batch": app_of("batch")})
        for name, environ in requests():
            if gate and not name.startswith("of"):
                continue
            ask(told, name, door, environ)
        for service in (*front.SERVICES, "batch", "ec2", "elasticbeanstalk", "none", "sqs"):
            ask(told, f"for {service}", door, request(service))
    for host in (
        *("127.0.0.1", "127.0.0.1:1", "localhost", "localhost:9", "a.localhost", "localhost.a"),
        *("bucket.s3.amazonaws.com", "amazonaws.com", "x.amazonaws.com:443", "127.0.0.2", "", ":1"),
        *("evil.example", "evil.example:localhost", "127.0.0.1.evil", "[::1]:80"),
    ):
        ask(told, f"host {host!r}", door, request(headers={"host": host}))
    ask(told, "no host", door, {"RAW_URI": "/", "REQUEST_METHOD": "GET"})
    ask(told, "an origin", door, request(environ={"HTTP_ORIGIN": ""}))
    for service in ("s3", "ec2", "iam", "kms", "none"):
        for name, more in (
            ("unsigned", authorization("x")),
            ("unknown key", {"access": "OTHER"}),
            ("wrong", {"secret": "x"}),
            ("late", {"date": "20260102T020405Z"}),
        ):
            for path in ("/", "/a"):
                ask(told, f"{name} {service} {path}", door, request(service, path=path, **more))
    compare(HERE / "doors.txt", told.text)


def test_the_door_for_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(front, "LARGEST_UPLOAD", 10)
    homes = {
        "us": ("us-east-1", NOW - timedelta(days=9)),
        "eu": ("eu-west-1", NOW - timedelta(days=9)),
        "young": ("eu-west-1", NOW - timedelta(hours=1)),
        "far": ("ap-southeast-5", NOW),
    }

    def app_of(name: str) -> Any:
        def app(environ: dict[str, Any], start: Any) -> list[bytes]:
            start("200 OK", [("Content-Type", "text/xml")])
            return [name.encode()]

        return app

    door = GuestDoor(KEY, app_of, lambda: NOW, home_of=homes.get)
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
        for length in ("", "0", "9", "10", "11", "x", "-1"):
            environ = presigned(method=method) | {"CONTENT_LENGTH": length}
            ask(told, f"{method} of {length!r} bytes", door, environ)
            if method != "PUT":
                break
    ask(told, "a header", door, presigned() | {"HTTP_AUTHORIZATION": ""})
    ask(told, "no length", door, {**presigned(method="PUT"), "CONTENT_LENGTH": None})
    for host in ("s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "evil.example"):
        for bucket in (*homes, "none"):
            environ = presigned(path=f"/{bucket}/key", host=host)
            ask(told, f"{bucket} at {host}", door, environ)
            name = f"{bucket}.{host}"
            ask(told, f"at {name}", door, presigned(path="/key", host=name))
    environ = presigned(method="POST", path="/eu/key", host="s3.amazonaws.com")
    ask(told, "refused before it is sent elsewhere", door, environ)
    plain = GuestDoor(KEY, app_of, lambda: NOW)
    ask(told, "without homes", plain, presigned(path="/eu/key", host="s3.amazonaws.com"))
    compare(HERE / "guest-door.txt", told.text)
