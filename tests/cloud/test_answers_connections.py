"""What goes over connections for blocks, byte by byte, and what nitro makes of what comes back."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ReadTimeoutError
from botocore.httpsession import ProxyConfiguration, get_cert_path

from nitro.cloud import Cloud, put_block
from nitro.cloud.connections import Answer, Connections
from tests.cloud.answers import Answering
from tests.transcripts import compare

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="a server of canned answers has no account"),
]
Note = Callable[[str], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = 1 << 20


class _Input(io.BytesIO):
    failure: BaseException | None = None

    def readline(self, size: int | None = -1, /) -> bytes:
        if self.failure and self.tell() == len(self.getvalue()):
            raise self.failure
        return super().readline(size)


class _Socket:
    """Notes what is done with it. `takes`: of how many bytes at a time."""

    def __init__(self, note: Note, come: bytes, takes: int, failure: BaseException | None) -> None:
        self._note, self._takes, self.input = note, takes, _Input(come)
        self.input.failure = failure

    def settimeout(self, seconds: float) -> None:
        self._note(f"timeout {seconds:g}")

    def setsockopt(self, *_: object) -> None:
        pass

    def makefile(self, mode: str, *_: object) -> io.BytesIO:
        self._note(f"makefile {mode}")
        return _Input(self.input.read()) if self._takes < 0 else self.input

    def sendmsg(self, parts: list[bytes]) -> int:
        self._note(f"sendmsg {[_brief(bytes(part)) for part in parts]}")
        return min(self._takes, sum(map(len, parts)))

    def sendall(self, data: bytes) -> None:
        self._note(f"sendall {_brief(bytes(data))}")

    def close(self) -> None:
        self._note("close")


class _Tls(ssl.SSLSocket):
    def __init__(self, inner: _Socket) -> None:
        self.inner = inner

    def __getattribute__(self, name: str) -> Any:
        known = ("settimeout", "makefile", "sendall", "close")
        return getattr(super().__getattribute__("inner"), name) if name in known else None


def _brief(data: bytes) -> str:
    return str(data) if len(data) < 300 else f"{len(data)} bytes, {data[:9]!r}…{data[-9:]!r}"


class _Trial:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.text = ""
        self.come: list[bytes] = []
        self.takes = 1 << 30
        self.failure: BaseException | None = None
        self.unreachable: BaseException | None = None
        patch.setattr(socket, "create_connection", self._connect)
        patch.setattr(ssl, "create_default_context", self._context)

    def note(self, text: str) -> None:
        self.text += f"  {text}\n"

    def _connect(self, address: Any, timeout: float, source: object) -> Any:
        self.note(f"connect to {address} within {timeout:g} s from {source}")
        if self.unreachable:
            raise self.unreachable
        come = self.come.pop(0) if self.come else b""
        return _Socket(self.note, come, self.takes, self.failure)

    def _context(self, *, cafile: str | None = None) -> Any:
        known = "botocore's" if cafile == get_cert_path(True) else cafile
        self.note(f"context with the authorities {known}")

        def wrap(inner: _Socket, server_hostname: str) -> Any:
            self.note(f"TLS with {server_hostname}")
            if isinstance(self.failure, ssl.SSLError):
                raise self.failure
            return _Tls(inner)

        return SimpleNamespace(
            wrap_socket=wrap,
            verify_mode=ssl.CERT_REQUIRED,
            check_hostname=True,
            post_handshake_auth=None,
        )

    def run(
        self,
        title: str,
        *come: bytes,
        url: str = "http://h:1",
        times: int = 1,
        verify: Any = True,
        proxies: Any = None,
        body: bytes = b"body",
    ) -> None:
        """So many exchanges; each connection gets the next of `come`."""
        self.text += f"== {title}\n"
        self.come = list(come)
        kept = Connections(url, verify, ProxyConfiguration(proxies))
        for _ in range(times):
            try:
                answer = kept.exchange("PUT", "/a", {"X-Sent": "1", "Y": "é"}, body)
                content = _brief(answer.content)
                self.note(f"→ {answer.status_code} {dict(answer.headers)} {content}")
            except (BotoCoreError, KeyboardInterrupt) as error:
                self.note(f"→ {type(error).__name__}: {error}, from {error.__cause__!r}")
        self.note("end")
        kept.close()


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> _Trial:
    return _Trial(monkeypatch)


def test_requests(trial: _Trial, request: pytest.FixtureRequest) -> None:
    twice = OK + OK
    trial.run("two requests", twice, times=2)
    trial.run(
        "closed by the server",
        OK.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n"),
        OK,
        times=2,
    )
    trial.run("kept", OK.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n") + OK, times=2)
    head = len(b"PUT /a HTTP/1.1\r\nHost: h:1\r\nX-Sent: 1\r\nY: \xe9\r\n\r\n")
    for takes in (1, head - 1, head, head + 1, head + 4):
        trial.takes = takes
        trial.run(f"{takes} bytes taken", OK)
    trial.takes = 1 << 30
    trial.run("TLS", twice, url="https://h", times=2)
    trial.run("TLS, own authorities", OK, url="https://h:2", verify="/ca.pem")
    trial.run("a port", OK, url="http://h:8080")
    proxy = {"http": "http://user:word@p:3128", "https": "http://user:word@p:3128"}
    trial.run("a proxy", OK, proxies=proxy)
    trial.takes = -1  # what is sent to open the tunnel is read by itself
    established = b"HTTP/1.1 200 Connection established\r\n\r\n"
    trial.run("a tunnel", established, url="https://h", proxies=proxy)
    trial.run("no tunnel", b"HTTP/1.1 407 No\r\n\r\n", url="https://h:2", proxies=proxy)
    trial.run("no proxy", b"x\r\n", url="https://h:2", proxies=proxy)
    trial.takes = 1 << 30
    for error in (
        TimeoutError("t"),
        ssl.SSLError("s"),
        OSError("o"),
        http.client.HTTPException("h"),
    ):
        trial.unreachable = error
        trial.run(f"unreachable: {error!r}", url="https://h")
    trial.unreachable = None
    trial.failure = ssl.SSLError("s")
    trial.run("no TLS", OK, url="https://h")
    for failure in (TimeoutError("t"), OSError("o"), KeyboardInterrupt()):
        trial.failure = failure
        trial.run(f"fails: {failure!r}", times=2)
    compare(request.path.parent / "transcripts" / "connections.txt", trial.text)


def test_answers(trial: _Trial, request: pytest.FixtureRequest) -> None:
    def answer(*lines: str, content: bytes = b"") -> bytes:
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + content

    def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
        head = answer("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, Chunked")
        return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end

    ok = "HTTP/1.1 200 OK"
    for title, come in {
        "continue": answer("HTTP/1.1 100 Continue", "A: b") + OK,
        "continue, twice": answer("HTTP/1.1 100 Continue") * 2 + OK,
        "early hints": answer("HTTP/1.1 103 Early", "Content-Length: 0") + OK,
        "nothing": answer("HTTP/1.1 204 No Content"),
        "not modified": answer("HTTP/1.0 304"),
        "no length": answer(ok),
        "no reason": answer("HTTP/1.1 200", "Content-Length: 0"),
        "words": answer("HTTP/1.1 404 Not Found Here", "content-length:0"),
        "one word": answer("HTTP/1.1"),
        "another version": answer("HTTP/2.0 200 OK", "Content-Length: 0"),
        "no number": answer("HTTP/1.1 two OK", "Content-Length: 0"),
        "bare newlines": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "a colon in a value": answer(ok, "A: b: c", "Content-Length: 0"),
        "no colon": answer(ok, "A", "Content-Length: 0"),
        "no length in digits": answer(ok, "Content-Length: x"),
        "a length below zero": answer(ok, "Content-Length: -1"),
        "as long as may be": answer(ok, f"Content-Length: {MIB}", content=bytes(MIB)),
        "too long": answer(ok, f"Content-Length: {MIB + 1}", content=bytes(MIB + 1)),
        "broken off": answer(ok, "Content-Length: 3", content=b"ab"),
        "broken off in a line": b"HTTP/1.1 200 OK\r\nContent",
        "199 headers": answer(ok, "Content-Length: 0", *["A: b"] * 198),
        "200 headers": answer(ok, "Content-Length: 0", *["A: b"] * 199),
        "201 headers": answer(ok, "Content-Length: 0", *["A: b"] * 200),
        "the longest line": answer(ok, "Content-Length: 0", f"A: {'b' * (65536 - 5)}"),
        "too long a line": answer(ok, "Content-Length: 0", f"A: {'b' * (65536 - 4)}"),
        "chunks": chunks(b"ab", b"c"),
        "no chunk": chunks(),
        "an extension": chunks(end=b"1;a=b\r\nx\r\n0;c\r\n\r\n"),
        "trailers": chunks(b"ab", end=b"0\r\nA: b\r\nC: d\r\n\r\n"),
        "a large chunk": chunks(bytes(MIB)),
        "a chunk that is too large": chunks(bytes(MIB + 1)),
        "large chunks": chunks(bytes(MIB), b"x"),
        "no size": chunks(end=b"x\r\n"),
        "chunks that break off": chunks(b"ab", end=b"5\r\nab"),
        "chunks without an end": chunks(b"ab", end=b""),
        "another encoding": answer(
            ok, "Transfer-Encoding: gzip", "Content-Length: 1", content=b"x"
        ),
    }.items():
        trial.run(title, come + OK, OK, times=2)
    compare(request.path.parent / "transcripts" / "connection-answers.txt", trial.text)


def test_blocks_are_put(aws: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Answer | Exception] = []

    class Fake:
        def __init__(self, url: str, verify: object, proxies: object) -> None:
            aws.note(f"connections to {url}, {verify}, {type(proxies).__name__}")

        def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
            aws.note(f"{method} {path} {len(body)} bytes, {json.dumps(headers, indent=4)}")
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(found, Exception):
                raise found
            return found

        def close(self) -> None:
            aws.note("closed")

    monkeypatch.setattr(put_block, "Connections", Fake)
    monkeypatch.setenv("AWS_CA_BUNDLE", "/own.pem")
    block = b"\1" * 4096

    def put(cloud: Cloud, *come: Answer | Exception) -> object:
        answers[:] = come

        def after(http_response: Any, parsed: Any, model: Any, **_: object) -> None:
            aws.note(f"after {model.name}: {http_response.status_code} {parsed}")

        def built(params: Any, model: Any, context: Any = None, **_: object) -> None:
            aws.note(f"built {model.name}: {sorted(params)}, {context}")

        def provided(params: Any, model: Any, context: Any = None, **_: object) -> None:
            aws.note(f"provided {model.name}: {sorted(params)}, {sorted(context)}")

        events: Any = cloud.session.events
        events.register("after-call.ebs", after)
        events.register("before-parameter-build.ebs", built)
        events.register("provide-client-params.ebs", provided)
        sender = put_block.BlockSender(cloud, lambda error: aws.note(f"heard {error}"))
        try:
            sender.put("snap-1", 7, block, hashlib.sha256(block).digest())
        finally:
            sender.close()
        return "put"

    def failed(status: int, body: Any = b"", **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(
            status, {key.replace("_", "-"): value for key, value in headers.items()}, content
        )

    on: Any = {"PutSnapshotBlock": None}
    good = Answer(201, {}, b"")
    for status in (200, 299, 300):
        aws.case(f"{status}", put, on, Answer(status, {}, b""))
    for title, come in {
        "by a header": failed(400, x_amzn_errortype="ValidationException:http://x"),
        "by a type": failed(400, {"__type": "com.aws#AccessDenied", "Message": "m", "Reason": "r"}),
        "lower case": failed(404, {"__type": "x", "message": "m", "Message": ""}),
        "no JSON": failed(418, b"<html>"),
        "a list": failed(418, ["x"]),
        "nothing": failed(418),
    }.items():
        aws.case(title, put, on, come)
    for title, first in {
        "throttled": failed(400, {"__type": "RequestThrottledException"}),
        "a conflict": failed(
            400, {"__type": "ValidationException", "Reason": "CONFLICTING_BLOCK_UPDATE"}
        ),
        "failed": failed(500, {"__type": "InternalServerException"}),
        "no answer": ReadTimeoutError(endpoint_url="http://x"),
    }.items():
        aws.case(title, put, on, first, good)
    aws.case("throttled for long", put, on, failed(503, {"__type": "SlowDown"}))
    aws.case("answered before", put, {"PutSnapshotBlock": {}}, good)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    local = {"endpoint_url": "http://127.0.0.1:7/", "key": ("ID", "secret")}
    aws.case("here", put, on, good, **local)
    aws.case("in Virginia", put, on, good, region="us-east-1")
    aws.compare("blocks")


def test_a_key_is_made_for_each_day_and_secret() -> None:
    def sign(signature: put_block.Signature, secret: str, day: int) -> str:
        now = datetime(2026, 1, day, tzinfo=UTC)
        given = ReadOnlyCredentials("ID", secret, "")
        return signature.sign("PUT", "/a", {}, given, now)["Authorization"]

    kept = put_block.Signature("h", "r", "s")
    for secret, day in (("a", 1), ("a", 2), ("b", 2), ("a", 2), ("a", 2)):
        assert sign(kept, secret, day) == sign(put_block.Signature("h", "r", "s"), secret, day)
