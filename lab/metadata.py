"""A metadata service for one connection on standard input and output, as QEMU starts it.

    python metadata.py FILE      FILE is the user data; no file, no user data

It knows version 2 only: no token, no answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

TOKEN = "a-token"


def answer(request: bytes, user_data: Path) -> bytes:
    lines = request.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    match lines[0].split(" ")[:2]:
        case ["PUT", "/latest/api/token"] if "x-aws-ec2-metadata-token-ttl-seconds" in headers:
            return _response("200 OK", TOKEN.encode())
        case ["GET", "/latest/user-data"] if headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return _response("401 Unauthorized", b"no token")
        case ["GET", "/latest/user-data"] if user_data.exists():
            return _response("200 OK", user_data.read_bytes())
    return _response("404 Not Found", b"<html>nothing here</html>")


def _response(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    request = b""
    while b"\r\n\r\n" not in request and (byte := sys.stdin.buffer.read(1)):
        request += byte
    sys.stdout.buffer.write(answer(request, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
