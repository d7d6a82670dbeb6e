"""A metadata service for one connection on standard input and output, as QEMU starts it.

    python metadata.py FILE [TROUBLE]      FILE is the user data; no file, no user data

It knows version 2 only: no token, no answer. TROUBLE is a file of words, one for each connection
until they are used up: "silent" keeps the guest waiting, "closed" ends the connection, "cut" ends
it in the middle of the answer, "503" is that status.
"""

from __future__ import annotations

import signal
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


def take_word(trouble: Path) -> str:
    """The trouble of this connection, which is then used up."""
    word, _, rest = trouble.read_text().partition(" ")
    trouble.write_text(rest)
    return word


def main() -> None:
    word = take_word(Path(sys.argv[2])) if sys.argv[2:] else ""
    if word == "closed":
        return
    if word == "silent":
        signal.alarm(60)
        sys.stdin.buffer.read()
        return
    request = b""
    while b"\r\n\r\n" not in request and (byte := sys.stdin.buffer.read(1)):
        request += byte
    said = answer(request, Path(sys.argv[1]))
    if word == "503":
        said = _response("503 Service Unavailable", b"later")
    sys.stdout.buffer.write(said[:-2] if word == "cut" else said)


if __name__ == "__main__":
    main()
