"""What a second user of this machine sees of the first one's local Nitro: nothing to use."""

from __future__ import annotations

import http.client
import os
import pickle
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from nitro import local
from nitro.local.front import SERVICES

NOBODY = 65534
OTHERS = ("lambda", "batch", "dynamodb", "moto-api")
T = TypeVar("T")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a second user"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[local.Endpoint]:
    """The first user's, with its state where the second one can at least look for it."""
    top = Path(tempfile.mkdtemp(prefix="nitro-"))
    top.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NITRO_STATE", str(top / "state"))
        try:
            yield local.up()
        finally:
            local.down(force=True)
            shutil.rmtree(top)


def as_second_user(question: Callable[[], T]) -> T:
    """The answer of a child process that is nobody. It imports nothing: it could not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer: object = None
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = question()
        except BaseException as error:
            answer = repr(error)
        finally:
            os.write(writer, pickle.dumps(answer))
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    answered: T = pickle.loads(content)
    return answered


def files() -> list[Path]:
    """All that the first user has there, as the first user lists it."""
    folder = local.status().folder
    return [folder, *folder.rglob("*")]


def test_no_file_can_be_read(endpoint: local.Endpoint) -> None:
    paths = files()
    assert {"endpoint.json", "log", "lock"} <= {path.name for path in paths}

    def readable() -> list[str]:
        return [str(path) for path in paths if os.access(path, os.R_OK | os.W_OK)]

    assert as_second_user(readable) == []


def test_no_socket_can_be_connected_to(endpoint: local.Endpoint) -> None:
    """The control sockets of machines and cards would lie there; another one stands for them."""
    folder = local.status().folder / "machines" / "i-1"
    folder.mkdir(parents=True)
    servers = []
    for name in ("qmp", "ena"):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / name))
        server.listen()
        servers.append(server)
    paths = [path for path in files() if stat.S_ISSOCK(path.stat().st_mode)]
    assert len(paths) >= 2

    def connected() -> list[str]:
        found = []
        for path in paths:
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(path))
                    found.append(str(path))
                except PermissionError:
                    pass
        return found

    assert as_second_user(connected) == []
    for server in servers:
        server.close()


def test_the_key_is_in_no_command_line_and_no_environment(endpoint: local.Endpoint) -> None:
    secret = endpoint.secret_key.encode()

    def found() -> list[str]:
        seen = []
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    if secret in (process / name).read_bytes():
                        seen.append(str(process / name))
                except OSError:
                    continue
        return seen

    assert as_second_user(found) == []


def ask(endpoint: local.Endpoint, headers: dict[str, str], path: str = "/") -> tuple[int, str]:
    """A request as the second user can make it: without the key."""
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    body = "Action=DescribeInstances&Version=2016-11-15"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, body, kind | headers)
    with connection.getresponse() as answer:
        return answer.status, answer.read().decode()


def authorization(service: str) -> dict[str, str]:
    """Looks signed, by somebody who has no key."""
    scope = f"ACCESS/20260101/us-east-1/{service}/aws4_request"
    return {
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
        f"Signature={'0' * 64}",
    }


@pytest.mark.parametrize("service", [*SERVICES, *OTHERS])
def test_no_service_answers_without_the_key(endpoint: local.Endpoint, service: str) -> None:
    for headers in ({}, authorization(service)):
        status, text = as_second_user(partial(ask, endpoint, headers))
        assert status in (400, 401, 403), text
        assert "reservationSet" not in text


@pytest.mark.parametrize("service", [*SERVICES, *OTHERS])
@pytest.mark.parametrize("foreign", [{"Origin": "http://evil.test"}, {"Host": "evil.test"}])
def test_no_service_answers_a_web_page(
    endpoint: local.Endpoint, service: str, foreign: dict[str, str]
) -> None:
    """Even one that would guess the key: what it says is refused before it is looked at."""
    headers = authorization(service) | foreign
    status, text = as_second_user(lambda: ask(endpoint, headers))
    assert status == 403
    assert "NotAllowed" in text


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/moto-api/"])
def test_motos_own_paths_are_shut(endpoint: local.Endpoint, path: str) -> None:
    status, _ = as_second_user(lambda: ask(endpoint, {}, path))
    assert status in (400, 403, 404)


def test_it_listens_on_loopback_only(endpoint: local.Endpoint) -> None:
    """As `ss -ltn` shows it: the address of the endpoint's port, in the kernel's hex."""
    port = urlsplit(endpoint.url).port
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, hex_port = line.split()[1].rpartition(":")
            if int(hex_port, 16) == port and line.split()[3] == "0A":
                assert address == "0100007F"
