"""Connections to one HTTP server, kept alive, for requests of which there are thousands.

What urllib3 does around a request takes longer than sending half a megabyte. Here a request is
two writes and a few reads; certificates, proxies and timeouts are those of botocore's client.
Failures are botocore's exceptions, so that one place decides what they mean.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path

if TYPE_CHECKING:
    from botocore.httpsession import ProxyConfiguration

CONNECT_TIMEOUT, TIMEOUT = 5.0, 60.0  # seconds
_LONGEST_LINE, _MOST_LINES, _LARGEST_BODY = 65536, 200, 1 << 20


@dataclass(frozen=True)
class Answer:
    """A response, with the names that botocore's have. Header names are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class Connections:
    """To the server of `url`; thread-safe. `verify`: a CA bundle, or True for botocore's."""

    def __init__(self, url: str, verify: bool | str, proxies: ProxyConfiguration) -> None:
        self._url = url
        self._server = urlsplit(url)
        self._secure = self._server.scheme == "https"
        proxy = proxies.proxy_url_for(url)
        self._proxy = urlsplit(proxy) if proxy else None
        self._proxy_headers = proxies.proxy_headers_for(proxy) if proxy else {}
        authorities = verify if isinstance(verify, str) else get_cert_path(True)
        self._context = ssl.create_default_context(cafile=authorities) if self._secure else None
        self._idle: deque[_Connection] = deque()

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and read its answer. Raises botocore's HTTPClientError and kin."""
        plain_proxy = self._proxy and not self._secure
        target = f"{self._url}{path}" if plain_proxy else path
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._server.netloc}\r\n{lines}\r\n"
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            answer, reusable = connection.exchange(head.encode("latin-1"), body)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except (OSError, ValueError) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self._url, error=error) from error
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """End the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> _Connection:
        peer = self._proxy or self._server
        host, port = str(peer.hostname), peer.port
        kept: http.client.HTTPConnection
        if self._context:
            kept = http.client.HTTPSConnection(
                host, port, timeout=CONNECT_TIMEOUT, context=self._context
            )
            if self._proxy:
                kept.set_tunnel(
                    str(self._server.hostname), self._server.port, headers=self._proxy_headers
                )
        else:
            kept = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        try:
            kept.connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
        kept.sock.settimeout(TIMEOUT)
        return _Connection(kept.sock)


class _Connection:
    """One request after the other, each answered before the next."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._input: IO[bytes] = connected.makefile("rb")

    def exchange(self, head: bytes, body: bytes) -> tuple[Answer, bool]:
        """Returns the answer, and whether another request may follow."""
        self._send(head, body)
        status = 100
        while status == 100:
            status = self._status()
            headers = self._headers()
        content = self._content(headers, status)
        reusable = headers.get("connection", "").lower() != "close"
        return Answer(status, headers, content), reusable

    def close(self) -> None:
        self._input.close()
        self._socket.close()

    def _send(self, head: bytes, body: bytes) -> None:
        """Both in one system call where the socket can: the server wakes up once, not twice."""
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.sendall(head)
            self._socket.sendall(body)
            return
        rest = self._socket.sendmsg([head, body]) - len(head)
        if rest < 0:
            self._socket.sendall(head[rest:])
        self._socket.sendall(memoryview(body)[max(rest, 0) :])

    def _status(self) -> int:
        words = self._line().split(None, 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise ValueError("not an answer of HTTP")
        return int(words[1])

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_MOST_LINES):
            line = self._line()
            if not line:
                return headers
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        raise ValueError("too many headers")

    def _content(self, headers: Mapping[str, str], status: int) -> bytes:
        if status in (204, 304):
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        raise ValueError("an answer without a length")

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self._line().partition(";")[0], 16):
            content += self._exactly(size)
            self._line()
            if len(content) > _LARGEST_BODY:
                raise ValueError("too long an answer")
        while self._line():
            pass  # trailers
        return content

    def _exactly(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_BODY:
            raise ValueError("too long an answer")
        content = self._input.read(size)
        if len(content) < size:
            raise ValueError("the answer broke off")
        return content

    def _line(self) -> str:
        line = self._input.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ValueError("the answer broke off")
        return line.rstrip(b"\r\n").decode("latin-1")
