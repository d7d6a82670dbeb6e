"""The instance metadata service: version 2, and version 1 where the instance allows it.

Who asks is told by the source address. Paths and rules:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import math
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nitro.local.hypervisor import Guest
from nitro.local.metadata_tree import find

MAX_TTL = 21600  # seconds that a token may live
MAX_TOKENS = 4096
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name


@dataclass(frozen=True)
class Answer:
    """What a request gets. `ttl`: seconds left of the token; `hops`: how far the answer may go."""

    status: HTTPStatus
    body: bytes = b""
    ttl: int | None = None
    hops: int | None = None


class Metadata:
    """The service without its sockets. `guest_at` finds the guest that has an address."""

    def __init__(
        self,
        guest_at: Callable[[str], Guest | None],
        clock: Callable[[], float] = time.monotonic,
        answers: Callable[[str], bool] = lambda _instance_id: True,
    ) -> None:
        self._guest_at = guest_at
        self._answers = answers
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}

    def is_silent(self, source: str) -> bool:
        """Whether a request gets no answer at all, because the service is late for its guest."""
        guest = self._guest_at(source)
        return guest is not None and not self._answers(guest.instance_id)

    def put(self, source: str, path: str, headers: dict[str, str]) -> Answer:
        """A request for a token. `headers` have names in lower case."""
        guest = self._guest_at(source)
        if guest is None or not guest.metadata_enabled or "x-forwarded-for" in headers:
            return Answer(HTTPStatus.FORBIDDEN)
        if path.strip("/") != "latest/api/token":
            return Answer(HTTPStatus.NOT_FOUND)
        ttl = headers.get(_TTL_HEADER.lower(), "")
        if not (ttl.isascii() and ttl.isdigit() and len(ttl) <= 6 and 1 <= int(ttl) <= MAX_TTL):
            return Answer(HTTPStatus.BAD_REQUEST)
        now = self._clock()
        if len(self._tokens) >= MAX_TOKENS:
            self._tokens = {t: held for t, held in self._tokens.items() if held[1] > now}
            while len(self._tokens) >= MAX_TOKENS:
                self._tokens.pop(next(iter(self._tokens)))
        token = secrets.token_urlsafe(40)
        self._tokens[token] = (guest.instance_id, now + int(ttl))
        return Answer(HTTPStatus.OK, token.encode(), int(ttl), guest.metadata_hops)

    def get(self, source: str, path: str, headers: dict[str, str]) -> Answer:
        """A request for metadata or user data."""
        guest = self._guest_at(source)
        if guest is None or not guest.metadata_enabled:
            return Answer(HTTPStatus.FORBIDDEN)
        token, left = headers.get(_TOKEN_HEADER.lower()), None
        if token is not None:
            left = self._seconds_left(token, guest)
        if left is None and (token is not None or guest.metadata_tokens_required):
            return Answer(HTTPStatus.UNAUTHORIZED)
        found = find(guest, [part for part in path.split("?")[0].split("/") if part])
        if found is None:
            return Answer(HTTPStatus.NOT_FOUND, ttl=left)
        return Answer(HTTPStatus.OK, found, left)

    def _seconds_left(self, token: str, guest: Guest) -> int | None:
        """How long a token of this guest is valid; None when it is not."""
        owner, expires = self._tokens.get(token, ("", 0.0))
        left = expires - self._clock()
        return math.ceil(left) if owner == guest.instance_id and left > 0 else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    timeout = 10
    server: MetadataServer

    def do_GET(self) -> None:
        self._answer(self.server.metadata.get)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self._answer(self.server.metadata.put)
        self.close_connection = True  # a body was not read

    def __getattr__(self, name: str) -> Any:
        """Any other method is not allowed."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        self._send(Answer(HTTPStatus.METHOD_NOT_ALLOWED))
        self.close_connection = True

    def _answer(self, method: Callable[[str, str, dict[str, str]], Answer]) -> None:
        if self.server.metadata.is_silent(self.client_address[0]):
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(method(self.client_address[0], self.path, headers))

    def _send(self, answer: Answer) -> None:
        body, kind = answer.body, "text/plain"
        if answer.status is not HTTPStatus.OK:
            body, kind = _page(answer.status), "text/html"
        if answer.hops is not None:
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, answer.hops)
        self.send_response(answer.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD, PUT")
        if answer.ttl is not None:
            self.send_header(_TTL_HEADER, str(answer.ttl))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Guests ask often; the log is for what people should see."""


def _page(status: HTTPStatus) -> bytes:
    title = f"{status.value} - {status.phrase}"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()


class MetadataServer(ThreadingHTTPServer):
    """`Metadata` on a TCP port."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], metadata: Metadata) -> None:
        self.metadata = metadata
        super().__init__(address, _Handler)
