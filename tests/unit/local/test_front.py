"""The endpoint's doors: requests as botocore signs them, and what must not pass."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.local.front import LARGEST_UPLOAD, SERVICES, Door, GuestDoor
from nitro.local.signature import Key
from tests.lengths import length

KEY = Key("ACCESS", "secret")
URL = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    def environ(self) -> dict[str, Any]:
        parts = urlsplit(self.url)
        found = {
            "REQUEST_METHOD": self.method,
            "RAW_URI": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            "HTTP_HOST": parts.netloc,
            "CONTENT_LENGTH": str(len(self.body)),
            "wsgi.input": io.BytesIO(self.body),
        }
        for name, value in self.headers.items():
            wsgi = name.upper().replace("-", "_")
            found[wsgi if wsgi.startswith("CONTENT_") else f"HTTP_{wsgi}"] = value
        found.update(CONTENT_TYPE=found.pop("CONTENT_TYPE", ""))
        return found


def client(service: str, key: Key = KEY, url: str = URL) -> Any:
    connect: Any = boto3.client
    return connect(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key.access,
        aws_secret_access_key=key.secret,
        config=Config(
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
        ),
    )


@cache
def sent(service: str, call: Callable[[Any], object], key: Key = KEY) -> Request:
    """The request that botocore would send for a call."""
    made: list[Request] = []

    class Stop(Exception):
        pass

    def take(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        body: Any = request.body or b""
        content = body.encode() if isinstance(body, str) else body
        content = content if isinstance(content, bytes) else content.read()
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        made.append(Request(str(request.method), request.url, headers, content))
        raise Stop

    asking = client(service, key)
    asking.meta.events.register("before-send", take)
    with pytest.raises(Stop):
        call(asking)
    return made[0]


@dataclass
class Answers:
    """The services behind a door, and what came out of it."""

    fails: bool = False
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def app_of(self, service: str) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if self.fails:
                raise KeyError(service)
            self.asked.append((service, environ["wsgi.input"].read()))
            start_response("200 OK", [])
            return [b"answer"]

        return app

    def start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, headers

    def ask(
        self, request: Request, door: type[Door] = Door, clock: datetime | None = None
    ) -> bytes:
        made = door(KEY, self.app_of, lambda: clock or datetime.now(UTC))
        return b"".join(made(request.environ(), self.start_response))


CALLS: dict[str, Callable[[Any], object]] = {
    "ec2": lambda c: c.describe_images(Filters=[{"Name": "name", "Values": ["ü &+"]}]),
    "ebs": lambda c: c.list_snapshot_blocks(SnapshotId="snap-1", NextToken="a+/=b"),
    "s3": lambda c: c.put_object(Bucket="b", Key="a key/with+ü&=~", Body=b"content"),
    "iam": lambda c: c.list_roles(),
    "sts": lambda c: c.get_caller_identity(),
    "ssm": lambda c: c.get_parameter(Name="/a"),
    "kms": lambda c: c.describe_key(KeyId="alias/a"),
    "autoscaling": lambda c: c.describe_launch_configurations(),
    "service-quotas": lambda c: c.get_service_quota(ServiceCode="ec2", QuotaCode="L-1"),
}


@pytest.mark.parametrize("service", CALLS)
def test_signed_requests_reach_their_service_whole(service: str) -> None:
    behind, request = Answers(), sent(service, CALLS[service])
    assert behind.ask(request) == b"answer"
    assert behind.asked == [(service, request.body)]
    assert set(CALLS) == set(SERVICES.values())


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, url=r.url.replace("5000", "5001")),
        lambda r: replace(r, url=r.url.partition("?")[0] + "?Action=Other"),
        lambda r: replace(r, method="DELETE"),
        lambda r: replace(r, headers={**r.headers, "X-Amz-Date": "20200101T000000Z"}),
        lambda r: replace(r, headers={k: v for k, v in r.headers.items() if k != "Authorization"}),
        lambda r: replace(r, headers={**r.headers, "Authorization": "AWS ACCESS:abc"}),
    ],
)
def test_a_request_changed_or_unsigned_is_refused(
    service: str, change: Callable[[Request], Request]
) -> None:
    behind = Answers()
    behind.ask(change(sent(service, CALLS[service])))
    assert behind.status[:3] in ("401", "403")
    assert not behind.asked


@pytest.mark.parametrize("service", CALLS)
def test_another_key_or_a_body_of_another_is_refused(service: str) -> None:
    behind = Answers()
    for key in (Key("ACCESS", "guess"), Key("OTHER", "secret")):
        behind.ask(sent(service, CALLS[service], key))
        assert behind.status[:3] in ("401", "403")
    if service in ("ec2", "iam", "ssm"):
        request = sent(service, CALLS[service])
        behind.ask(replace(request, body=request.body[:-1] + b"!"))
        assert behind.status[:3] in ("401", "403")
    assert not behind.asked


@pytest.mark.parametrize("service", CALLS)
def test_a_web_page_is_refused_whatever_it_knows(service: str) -> None:
    behind, request = Answers(), sent(service, CALLS[service])
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example:5000"}):
        behind.ask(replace(request, headers={**request.headers, **headers}))
        assert behind.status[:3] == "403"
    assert not behind.asked


@pytest.mark.extended
@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("lambda", lambda c: c.list_functions()),
        ("dynamodb", lambda c: c.list_tables()),
        ("cloudformation", lambda c: c.list_stacks()),
        ("cloudfront", lambda c: c.list_distributions()),
    ],
)
def test_a_service_that_is_not_here_says_so_in_its_own_form(
    service: str, call: Callable[[Any], object]
) -> None:
    behind = Answers()

    def answer(request: AWSPreparedRequest, **_: object) -> Any:
        headers: Any = HTTPHeaders()
        body = behind.ask(sent(service, call))
        for name, value in behind.headers:
            headers[name] = value
        response: Any = AWSResponse(str(request.url), 400, headers, None)
        response._content = body
        return response

    asking = client(service)
    asking.meta.events.register("before-send", answer)
    with pytest.raises(ClientError) as caught:
        call(asking)
    error = caught.value.response["Error"]
    assert error["Code"] == "UnknownService"
    assert error["Message"] == f"The local Nitro does not serve {service}."
    assert not behind.asked


def test_other_services_of_moto_are_not_there() -> None:
    behind = Answers()
    behind.ask(Request("POST", f"{URL}/moto-api/reset", {}, b""))
    assert behind.status[:3] == "403"
    assert not behind.asked


def test_an_old_request_is_refused() -> None:
    behind, request = Answers(), sent("ec2", CALLS["ec2"])
    for minutes, status in ((-16, "400"), (-14, "200"), (14, "200"), (16, "400")):
        behind.ask(request, clock=datetime.now(UTC) + timedelta(minutes=minutes))
        assert behind.status[:3] == status


@pytest.mark.parametrize("service", CALLS)
def test_errors_have_the_form_of_their_service(service: str) -> None:
    behind = Answers(fails=True)
    body = behind.ask(sent(service, CALLS[service]))
    assert behind.status[:3] == "500"
    if service in ("ssm", "ebs", "kms", "service-quotas"):
        assert json.loads(body)["__type"] == "InternalError"
    else:
        assert b"<Code>InternalError</Code>" in body


def presigned(method: str = "put_object", key: str = "results/1", seconds: int = 60) -> str:
    return str(
        client("s3", url="http://169.254.170.1").generate_presigned_url(
            method, Params={"Bucket": "b", "Key": key}, ExpiresIn=seconds
        )
    )


def test_a_guest_puts_the_object_that_its_url_names_and_nothing_else() -> None:
    behind = Answers()
    put = Request("PUT", presigned(), {}, b"numbers")
    assert behind.ask(put, GuestDoor) == b"answer"
    assert behind.asked == [("s3", b"numbers")]
    for other in (
        replace(put, url=put.url.replace("results/1", "results/2")),
        replace(put, method="GET"),
        replace(put, method="DELETE"),
        replace(put, url="http://169.254.170.1/b/results/1"),
        replace(put, url=put.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")),
        replace(put, headers={"Content-Length": str(LARGEST_UPLOAD + 1)}),
        replace(put, headers={"Content-Length": ""}),
        sent("s3", CALLS["s3"]),
    ):
        behind.ask(other, GuestDoor)
        assert behind.status[:3] == "403"
    assert len(behind.asked) == 1


def test_a_presigned_url_ends() -> None:
    behind, request = Answers(), Request("GET", presigned("get_object"), {}, b"")
    now = datetime.now(UTC)
    assert behind.ask(request, GuestDoor, now) == b"answer"
    behind.ask(request, GuestDoor, now + timedelta(seconds=62))
    assert behind.status[:3] == "403"


@pytest.mark.extended
@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=30).filter(lambda key: key.isprintable() and "." not in key))
def test_whatever_a_key_is_its_signature_is_found_right(key: str) -> None:
    behind = Answers()
    url = presigned("get_object", key)
    assert behind.ask(Request("GET", url, {}, b""), GuestDoor) == b"answer"


@settings(max_examples=length(short=30, long=1000), deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_header_or_query_is_more_than_refused(header: str, query: str) -> None:
    behind = Answers()
    request = Request("GET", URL, {"Authorization": header}, b"")
    behind.ask(request)
    assert behind.status[:3] == "403"
    environ = Request("GET", URL, {}, b"").environ()
    environ["RAW_URI"] = f"/?X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"
    Door(KEY, behind.app_of)(environ, behind.start_response)
    assert behind.status[:3] in ("401", "403")
