"""What is repeated is the call that failed, and nothing is lost between two attempts."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from nitro.cloud import (
    ApiError,
    Cloud,
    DiskImage,
    Keep,
    Undo,
    results,
    upload,
    verify,
)
from nitro.local.aws import Site
from tests.cloud.conftest import NOTHING, connect, everything
from tests.cloud.joint import deploy, running
from tests.cloud.operations import CLIENT_OF, called
from tests.cloud.policed import make_role

# What a service says that is busy, and one that does not know what is asked after.
BUSY = {
    "ec2": "RequestLimitExceeded",
    "s3": "SlowDown",
    "iam": "Throttling",
    "sts": "Throttling",
    "ebs": "ThrottlingException",
    "servicequotas": "TooManyRequestsException",
}
FORM = {
    "ec2": "<Response><Errors><Error><Code>{}</Code></Error></Errors></Response>",
    "s3": "<Error><Code>{}</Code></Error>",
    "iam": "<ErrorResponse><Error><Code>{}</Code></Error></ErrorResponse>",
    "sts": "<ErrorResponse><Error><Code>{}</Code></Error></ErrorResponse>",
    "ebs": '{{"__type": "{}"}}',
    "servicequotas": '{{"__type": "{}"}}',
}
# What differs between two attempts by its nature.
VOLATILE = {"HTTP_AUTHORIZATION", "HTTP_X_AMZ_DATE", "HTTP_AMZ_SDK_INVOCATION_ID"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Busy:
    """A service that sends every second signed request away, the first one first.

    Calls must come one after the other.
    """

    def __init__(self, service: Application) -> None:
        self.service = service
        self.requests: list[tuple[Any, ...]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service = signed_for(environ)
        if service is None:
            return self.service(environ, start)
        headers = {
            key: value
            for key, value in environ.items()
            if key.startswith(("HTTP_", "CONTENT_")) and key not in VOLATILE
        }
        where = (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"])
        self.requests.append((*where, headers, body))
        if len(self.requests) % 2 == 0:
            return self.service(environ, start)
        return error(environ, start, "503 Busy", BUSY[service])

    def check(self) -> None:
        """That each first attempt was followed by the same request again."""
        assert len(self.requests) % 2 == 0
        for first, second in zip(self.requests[::2], self.requests[1::2], strict=True):
            assert first == second


class _Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        pass


@contextmanager
def served(service: Application) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, service, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signed_for(environ: dict[str, Any]) -> str | None:
    """The service that a request is signed for; None when its signature is not in the header."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
    return scope[3] if len(scope) == 5 else None


def error(
    environ: dict[str, Any], start: Callable[..., Any], status: str, code: str
) -> Iterable[bytes]:
    start(status, [])
    form = FORM[str(signed_for(environ))]
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [form.format(code).encode()]


def not_found(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    return error(environ, start, "404 Not Found", "NotFound")


def some_value(shape: Any, name: str) -> Any:
    if shape.type_name == "structure":
        return {key: some_value(shape.members[key], key) for key in shape.required_members}
    if shape.type_name == "list":
        return [some_value(shape.member, name)]
    if enum := getattr(shape, "enum", None):
        return enum[0]
    values = {"blob": b"\0bytes", "integer": 1, "long": 1, "boolean": True, "map": {}}
    return values.get(shape.type_name, "a-name-of-20-letters")


def some_params(operation: Any) -> dict[str, Any]:
    """Every parameter that has to be given, and each that botocore is known to rewrite."""
    members = operation.input_shape.members
    wanted = {*operation.input_shape.required_members, *{"Body", "UserData"} & members.keys()}
    wanted |= {"ClientToken", "TagSpecifications"} & members.keys()
    return {name: some_value(members[name], name) for name in sorted(wanted)}


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("service", sorted(CLIENT_OF))
def test_every_operation_sends_the_same_bytes_again(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    busy = Busy(not_found)
    operations = sorted(called() & set(model.operation_names))
    assert operations
    with served(busy) as url:
        client: Any = getattr(connect(endpoint_url=url), CLIENT_OF[service])
        for count, name in enumerate(operations, start=1):
            params = some_params(model.operation_model(name))
            with pytest.raises(ApiError):
                getattr(client, xform_name(name))(**params)
            assert len(busy.requests) == 2 * count, name
    busy.check()


def test_a_stream_is_sent_whole_again(cloud: Cloud) -> None:
    busy = Busy(not_found)
    with served(busy) as url, pytest.raises(ApiError):
        connect(endpoint_url=url).s3.put_object(Bucket="b", Key="k", Body=io.BytesIO(b"content"))
    assert [request[-1] for request in busy.requests] == [b"content", b"content"]


@pytest.mark.extended
def test_a_deployment_at_a_busy_time_is_like_any_other(
    site: Site, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WORKERS", 1)
    monkeypatch.setattr(verify, "WORKERS", 1)
    busy = Busy(DomainDispatcherApplication(create_backend_app))
    with served(busy) as url:
        cloud = connect(endpoint_url=url)
        make_role(cloud)
        done = running(cloud, disk)
        attribute = cloud.ec2.describe_instance_attribute(
            InstanceId=done.instance.id, Attribute="userData"
        )
    busy.check()
    assert site.store.path(done.published.snapshot_id).read_bytes() == disk.path.read_bytes()
    told = base64.b64decode(attribute["UserData"]["Value"])
    assert told.startswith(b"NITRO=1\n")


def lose_answer(cloud: Cloud, call: str, then: Callable[[], object] = lambda: None) -> list[str]:
    """`call` has effect the first time, but its answer does not arrive; `then` comes next."""
    lost: list[str] = []

    def handle(model: Any, **_: object) -> None:
        if not lost:
            lost.append(model.name)
            then()
            raise ReadTimeoutError(endpoint_url="https://ec2")

    cloud.session.events.register(f"after-call.{call}", handle)
    return lost


@pytest.mark.extended
def test_a_start_whose_answer_was_lost_starts_one_instance(cloud: Cloud, disk: DiskImage) -> None:
    lost = lose_answer(cloud, "ec2.RunInstances")
    done = running(cloud, disk)
    assert lost
    assert everything(cloud)["instances"] == [done.instance.id]


def refuse_starts(cloud: Cloud, code: str) -> None:
    """Refuse RunInstances from now on, though the client is there already."""

    def answer(**_: object) -> tuple[AWSResponse, dict[str, Any]]:
        body = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return AWSResponse("", 400, HTTPHeaders(), None), body

    events: Any = cloud.ec2.meta.events
    events.register("before-call.ec2.RunInstances", answer)


@pytest.mark.extended
@pytest.mark.parametrize(
    "refusal", ["IdempotentParameterMismatch", "InsufficientInstanceCapacity", "RequestExpired"]
)
def test_a_refusal_after_a_lost_answer_leaves_no_instance(
    cloud: Cloud, disk: DiskImage, refusal: str
) -> None:
    lost = lose_answer(cloud, "ec2.RunInstances", lambda: refuse_starts(cloud, refusal))
    with pytest.raises(ApiError, match=refusal):
        deploy(cloud, disk, keep=Keep.NOTHING)
    assert lost
    assert everything(connect()) == NOTHING


@pytest.mark.parametrize("how", ["cut off", "damaged"])
def test_a_body_that_arrives_badly_is_read_again(cloud: Cloud, how: str) -> None:
    broken: list[str] = []

    class CutOff(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://s3")

    def handle(parsed: dict[str, Any], **_: object) -> None:
        if not broken:
            broken.append(how)
            if how == "cut off":
                parsed["Body"] = CutOff()
            else:
                parsed["Checksum"] = "AAAA"

    with Undo() as undo:
        place = results.prepare(cloud, undo, deployment="d-1", name="r")
        cloud.s3.put_object(Bucket=place.bucket.name, Key=place.key, Body=b"numbers")
        reader = connect()
        reader.session.events.register("after-call.s3.GetObject", handle)
        assert results.fetch(reader, place) == b"numbers"
    assert broken == [how]


def test_a_body_that_never_arrives_is_an_error_and_no_traceback(cloud: Cloud) -> None:
    def handle(parsed: dict[str, Any], **_: object) -> None:
        parsed["Checksum"] = "AAAA"

    with Undo() as undo:
        place = results.prepare(cloud, undo, deployment="d-1", name="r")
        cloud.s3.put_object(Bucket=place.bucket.name, Key=place.key, Body=b"numbers")
        reader = connect()
        reader.session.events.register("after-call.s3.GetObject", handle)
        with pytest.raises(ApiError, match=r"s3:GetObject got a damaged answer"):
            results.fetch(reader, place)


@pytest.mark.extended
def test_an_answer_that_is_not_aws_is_an_error_and_no_traceback() -> None:
    """As a captive portal or a proxy gives it."""

    def portal(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/html")])
        return [b"<html><p>Please log in"]

    with served(portal) as url:
        cloud = connect(endpoint_url=url)
        with pytest.raises(ApiError, match="ec2:DescribeRegions got a damaged answer"):
            cloud.ec2.describe_regions()
        with pytest.raises(ApiError) as caught:
            cloud.ec2.create_tags(Resources=["i-1"], Tags=[])
        assert caught.value.may_have_happened
