"""The instance metadata service: version 2, and version 1 where the instance allows it.

Who asks is told by the source address. Paths and rules:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nitro.local.hypervisor import Guest
from nitro.local.metadata_tree import find, tree

MAX_TTL = 21600  # seconds that a token may live
MAX_TOKENS = 4096
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    status: HTTPStatus
    body: bytes = b""
    ttl: int | None = None


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
        return Answer(HTTPStatus.OK, token.encode(), int(ttl))

    def get(self, source: str, path: str, headers: dict[str, str]) -> Answer:
        """A request for metadata or user data."""
        guest = self._guest_at(source)
        if guest is None or not guest.metadata_enabled:
            return Answer(HTTPStatus.FORBIDDEN)
        token = headers.get(_TOKEN_HEADER.lower())
        if token is None:
            if guest.metadata_tokens_required:
                return Answer(HTTPStatus.UNAUTHORIZED)
        elif not self._valid(token, guest):
            return Answer(HTTPStatus.UNAUTHORIZED)
        found = find(tree(guest), [part for part in path.split("?")[0].split("/") if part])
        return Answer(HTTPStatus.NOT_FOUND) if found is None else Answer(HTTPStatus.OK, found)

    def _valid(self, token: str, guest: Guest) -> bool:
        owner, expires = self._tokens.get(token, ("", 0.0))
        return owner == guest.instance_id and self._clock() < expires


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

    def _answer(self, method: Callable[[str, str, dict[str, str]], Answer]) -> None:
        if self.server.metadata.is_silent(self.client_address[0]):
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = method(self.client_address[0], self.path, headers)
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.ttl is not None:
            self.send_header(_TTL_HEADER, str(answer.ttl))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Guests ask often; the log is for what people should see."""


class MetadataServer(ThreadingHTTPServer):
    """`Metadata` on a TCP port."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], metadata: Metadata) -> None:
        self.metadata = metadata
        super().__init__(address, _Handler)
