"""Requests over connections that are kept, and what a server may do to them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import ProxyConfiguration
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.cloud import Cloud, connections
from nitro.cloud.connections import Connections
from nitro.cloud.put_block import BlockSender
from tests.cloud.conftest import connect

pytestmark = pytest.mark.policies(exempt="a server of canned answers has no account")

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Name: a\r\n\r\n{}"

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n"


class Server:
    """Answers each request with the next of `answers`; b"" ends the connection."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while self.answers:
            data = connection.recv(65536)
            while data and not data.endswith(b"body"):
                data += connection.recv(65536)
            if not data:
                return
            self.requests.append(data)
            answer = self.answers.pop(0)
            if not answer:
                return
            connection.sendall(answer)
            if answer.endswith(b"cut"):
                return


@contextmanager
def served(*answers: bytes) -> Iterator[Server]:
    server = Server(list(answers))
    try:
        yield server
    finally:
        server.close()


def to(url: str, proxies: dict[str, str] | None = None) -> Connections:
    return Connections(url, verify=True, proxies=ProxyConfiguration(proxies))


def exchange(kept: Connections) -> connections.Answer:
    return kept.exchange("PUT", "/a", {"X-Sent": "1"}, b"body")


def test_a_connection_serves_one_request_after_the_other() -> None:
    with served(OK, OK, OK) as server:
        kept = to(server.url)
        answers = [exchange(kept) for _ in range(3)]
        kept.close()
    assert [(a.status_code, a.headers["x-name"], a.content) for a in answers] == [
        (201, "a", b"{}")
    ] * 3
    assert server.accepted == 1
    host = server.url.removeprefix("http://")
    expected = f"PUT /a HTTP/1.1\r\nHost: {host}\r\nX-Sent: 1\r\n\r\nbody"
    assert server.requests == [expected.encode()] * 3


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (CHUNKED, b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 500 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b""),
    ],
)
def test_every_form_of_an_answer_is_read(answer: bytes, content: bytes) -> None:
    with served(answer, OK) as server:
        kept = to(server.url)
        assert exchange(kept).content == content
        if b"close" not in answer:
            assert exchange(kept).content == b"{}"
            assert server.accepted == 1
        kept.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 201 Crea-cut",
        b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\ncut",
        b"HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 201 Created\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 201 Created\r\n" + b"a: b\r\n" * 300,
    ],
)
def test_what_is_no_answer_is_an_error_and_the_next_request_is_answered(answer: bytes) -> None:
    with served(answer, OK) as server:
        kept = to(server.url)
        with pytest.raises(ConnectionClosedError):
            exchange(kept)
        assert exchange(kept).status_code == 201
        assert server.accepted == 2
        kept.close()


@settings(max_examples=50, deadline=None)
@given(noise=st.binary(max_size=200))
def test_noise_raises_what_the_retries_know(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 20" + noise)
        theirs.shutdown(socket.SHUT_WR)
        kept = to("http://127.0.0.1:1")
        kept._idle.append(connections._Connection(ours))
        with suppress(HTTPClientError):
            exchange(kept)
        kept.close()


@pytest.mark.parametrize("head", ["X" * 10, "X" * 300_000])
def test_a_request_larger_than_the_buffers_arrives_whole(head: str) -> None:
    ours, theirs = socket.socketpair()
    body, received = bytes(range(256)) * 8192 + b"body", bytearray()

    def answer() -> None:
        while not received.endswith(b"body"):
            received.extend(theirs.recv(4096))
        theirs.sendall(OK)

    with ours, theirs:
        ours.settimeout(10)  # as those that are connected to a server: what is sent may be a part
        thread = threading.Thread(target=answer)
        thread.start()
        kept = to("http://127.0.0.1:1")
        kept._idle.append(connections._Connection(ours))
        assert kept.exchange("PUT", "/a", {"X-Sent": head}, body).status_code == 201
        thread.join()
        kept.close()
    assert bytes(received).partition(b"\r\n\r\n")[2] == body
    assert f"X-Sent: {head}\r\n".encode() in received


def test_silence_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kept = to(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ReadTimeoutError):
            exchange(kept)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_takes_no_connection_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address), pytest.raises(ConnectTimeoutError):
            exchange(to(f"{scheme}://127.0.0.1:{address[1]}"))


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(EndpointConnectionError):
        exchange(to(url))


def test_a_server_without_tls_is_an_error_of_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(OK)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SSLError):
            exchange(to(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()


def test_a_proxy_is_asked_for_the_whole_address_or_for_a_tunnel() -> None:
    with served(OK) as proxy:
        kept = to("http://ebs.example", {"http": proxy.url})
        assert exchange(kept).status_code == 201
        kept.close()
        assert proxy.requests[0].startswith(
            b"PUT http://ebs.example/a HTTP/1.1\r\nHost: ebs.example"
        )
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 407 No\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://user:pass@127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises((EndpointConnectionError, ProxyConnectionError)):
            exchange(to("https://ebs.example", {"https": url}))
        thread.join()
    assert asked[0].startswith(b"CONNECT ebs.example:443")
    assert b"Proxy-Authorization: Basic " in asked[0]


def test_blocks_go_over_a_connection_that_is_kept(cloud: Cloud) -> None:
    """No moto in between: as on AWS."""
    block = bytes(524284) + b"body"
    with served(OK, OK) as server:
        user = connect(endpoint_url=server.url)
        sender = BlockSender(user, lambda _: None)
        for index in range(2):
            sender.put("snap-1", index, block, bytes(32))
        sender.close()
        assert server.accepted == 1
    assert [request[:34] for request in server.requests] == [
        b"PUT /snapshots/snap-1/blocks/0 HTT",
        b"PUT /snapshots/snap-1/blocks/1 HTT",
    ]
    assert all(request.endswith(block) for request in server.requests)
