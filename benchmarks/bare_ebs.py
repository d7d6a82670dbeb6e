"""An endpoint of the EBS direct API that accepts blocks as fast as it can and keeps none.

python -m benchmarks.bare_ebs            prints its address and serves until it is ended
"""

from __future__ import annotations

import json
import re
import socket
import threading

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_BUFFER = 1 << 20  # bytes
_STARTED = {
    "SnapshotId": "snap-0123456789abcdef0",
    "OwnerId": "123456789012",
    "Status": "pending",
    "StartTime": 1.7e9,
    "VolumeSize": 8,
    "BlockSize": 512 * 1024,
    "SseType": "none",
}


def serve() -> None:
    """Answer every connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_converse, args=(connection,), daemon=True).start()


def _converse(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(_BUFFER))
    kept = 0  # bytes of the next request at the start of the buffer
    try:
        while True:
            end = -1
            while (end := bytes(buffer[:kept]).find(b"\r\n\r\n")) < 0:
                received = connection.recv_into(buffer[kept:8192])
                if not received:
                    return
                kept += received
            head = bytes(buffer[:end])
            found = _LENGTH.search(head)
            left = (int(found[1]) if found else 0) - (kept - end - 4)
            if b"expect: 100-continue" in head.lower():
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while left > 0:
                received = connection.recv_into(buffer, min(left, _BUFFER))
                if not received:
                    return
                left -= received
            connection.sendall(_answer(head))
            kept = 0
    except ConnectionError:
        return
    finally:
        connection.close()


def _answer(head: bytes) -> bytes:
    if head.startswith(b"PUT "):
        return b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
    if head.startswith(b"POST /snapshots/completion/"):
        return b'HTTP/1.1 202 Accepted\r\nContent-Length: 22\r\n\r\n{"Status":"completed"}'
    body = json.dumps(_STARTED).encode()
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


if __name__ == "__main__":
    serve()
