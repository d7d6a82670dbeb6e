"""The instance metadata service: version 2, and version 1 where the instance allows it.

Who asks is told by the source address. Paths and rules:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nitro.local.hypervisor import Guest

MAX_TTL = 21600  # seconds that a token may live
MAX_TOKENS = 4096
# Of the paths: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-versions.html
VERSIONS = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01"),
    *("2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25"),
    *("2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28"),
    *("2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23"),
    *("2021-07-15", "2022-09-24", "2024-04-11", "latest"),
)
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
        found = _find(tree(guest), [part for part in path.split("?")[0].split("/") if part])
        return Answer(HTTPStatus.NOT_FOUND) if found is None else Answer(HTTPStatus.OK, found)

    def _valid(self, token: str, guest: Guest) -> bool:
        owner, expires = self._tokens.get(token, ("", 0.0))
        return owner == guest.instance_id and self._clock() < expires


def tree(guest: Guest) -> dict[str, Any]:
    """All that a guest can read, as folders (dictionaries) and leaves (bytes)."""
    hostname = f"ip-{guest.private_ip.replace('.', '-')}.ec2.internal"
    interface = {
        "device-number": "0",
        "local-hostname": hostname,
        "local-ipv4s": guest.private_ip,
        "mac": guest.mac,
        "owner-id": guest.account_id,
        "public-ipv4s": guest.public_ip,
        "security-groups": "\n".join(guest.security_groups),
        "subnet-id": guest.network.subnet_id,
        "subnet-ipv4-cidr-block": guest.network.cidr,
        "vpc-id": guest.network.vpc_id,
    }
    metadata: dict[str, Any] = {
        "ami-id": guest.image_id,
        "ami-launch-index": str(guest.launch_index),
        "block-device-mapping": _block_devices(guest),
        "hostname": hostname,
        "instance-id": guest.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": guest.instance_type,
        "local-hostname": hostname,
        "local-ipv4": guest.private_ip,
        "mac": guest.mac,
        "network": {"interfaces": {"macs": {guest.mac: interface}}},
        "placement": {
            "availability-zone": guest.availability_zone,
            "region": guest.region,
        },
        "public-ipv4": guest.public_ip,
        "reservation-id": guest.reservation_id,
        "security-groups": "\n".join(guest.security_groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if guest.metadata_tags is not None:
        metadata["tags"] = {"instance": dict(guest.metadata_tags)}
    identity = {
        "accountId": guest.account_id,
        "architecture": guest.architecture,
        "availabilityZone": guest.availability_zone,
        "imageId": guest.image_id,
        "instanceId": guest.instance_id,
        "instanceType": guest.instance_type,
        "privateIp": guest.private_ip,
        "region": guest.region,
        "version": "2017-09-30",
    }
    latest: dict[str, Any] = {
        "meta-data": metadata,
        "dynamic": {"instance-identity": {"document": json.dumps(identity, indent=2)}},
        "user-data": guest.user_data,
    }
    return dict.fromkeys(VERSIONS, latest)


def _block_devices(guest: Guest) -> dict[str, str]:
    root, *others = (disk.device_name for disk in guest.disks)
    numbered = {f"ebs{number}": name for number, name in enumerate(others, 1)}
    return {"ami": root, **numbered, "root": root}


def _find(folder: Any, path: list[str]) -> bytes | None:
    """The leaf at `path`, or the listing of a folder; None when there is neither."""
    for part in path:
        if not isinstance(folder, dict):
            return None
        folder = folder.get(part)
    if isinstance(folder, dict):
        names = [
            f"{name}/" if isinstance(entry, dict) else name
            for name, entry in folder.items()
            if entry is not None
        ]
        return "\n".join(names).encode()
    return folder.encode() if isinstance(folder, str) else folder


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
