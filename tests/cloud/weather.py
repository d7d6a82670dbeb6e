"""An endpoint in this process, on a day of bad weather: doors, services and clock, no sockets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import create_backend_app

from nitro.cloud import Cloud
from nitro.local.aws import Pace, Site, install
from nitro.local.front import SERVICES, Door
from nitro.local.hypervisor import NullHypervisor
from nitro.local.service import add_vmimport_role
from nitro.local.signature import Key
from nitro.local.store import BlockStore
from nitro.local.weather import Conditions, Forecast
from nitro.local.weather.gate import AnswerLost, Gate

REGION = "us-east-1"
URL = "http://127.0.0.1:5"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Raw:
    """A body as botocore reads it."""

    content: bytes

    def __post_init__(self) -> None:
        self._file = io.BytesIO(self.content)

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._file.read()

    def read(self, size: int | None = None) -> bytes:
        return self._file.read(size)


@dataclass
class Endpoint:
    """Where commands connect to; `forecast` counts what has happened."""

    door: Door
    key: Key
    forecast: Forecast
    clock: Clock
    fair: Door

    def connect(self, *, fair: bool = False) -> Cloud:
        """A connection of its own; a fair one sees no faults of calls."""
        cloud = Cloud.connect(
            region=REGION,
            endpoint_url=URL,
            key=(self.key.access, self.key.secret),
            sleep=self.clock.sleep,
        )
        door = self.fair if fair else self.door
        events: Any = cloud.session.events  # its stubs do not know that handlers may answer
        events.register("before-send", lambda request, **_: send(door, request))
        return cloud


@contextmanager
def endpoint(conditions: Conditions, folder: Path) -> Iterator[Endpoint]:
    """A new account with an import role, in this weather."""
    clock, key = Clock(), Key()
    forecast = Forecast(conditions, clock)
    site = Site(BlockStore(folder), NullHypervisor(), pace=Pace(), clock=clock, forecast=forecast)
    for service in SERVICES.values():
        get_backend(service).reset()
    with install(site):
        add_vmimport_role()
        apps = {service: create_backend_app(service) for service in SERVICES.values()}
        gate = Gate(forecast)
        yield Endpoint(
            Door(key, apps.__getitem__, gate=gate),
            key,
            forecast,
            clock,
            Door(key, apps.__getitem__),
        )


def send(door: Door, request: AWSPreparedRequest) -> AWSResponse:
    """What the endpoint answers to a request that botocore is about to send."""
    parts = urlsplit(request.url)
    body: Any = request.body or b""
    content = body.encode() if isinstance(body, str) else body
    content = content if isinstance(content, (bytes, bytearray)) else content.read()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        "PATH_INFO": parts.path or "/",
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
    }
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        wsgi = name.upper().replace("-", "_")
        if wsgi != "CONTENT_LENGTH":
            environ[wsgi if wsgi == "CONTENT_TYPE" else f"HTTP_{wsgi}"] = text
    started: list[Any] = []
    try:
        answer = b"".join(door(environ, lambda *given: started.extend(given[:2])))
    except AnswerLost:
        raise ConnectionClosedError(endpoint_url=request.url) from None
    status, headers = started
    if request.method == "HEAD":
        answer = b""
    sent = HTTPHeaders.from_pairs(headers)
    return AWSResponse(request.url, int(status.split()[0]), sent, Raw(answer))
