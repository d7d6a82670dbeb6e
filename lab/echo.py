"""The host's end of the soak: `python echo.py SEED MEGABYTES`, two TCP ports.

Port 7000 sends the same pseudo-random bytes to each client; port 7001 takes them back. A line
per connection goes to stdout: `sent`, `right` or `wrong BYTES SHA256`.
"""

from __future__ import annotations

import hashlib
import random
import socket
import sys
import threading


def main() -> None:
    data = random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2]) << 20)
    digest = hashlib.sha256(data).hexdigest()

    def send(client: socket.socket) -> str:
        client.sendall(data)
        return "sent"

    def take(client: socket.socket) -> str:
        got = hashlib.sha256()
        count = 0
        while piece := client.recv(1 << 20):
            got.update(piece)
            count += len(piece)
        return "right" if got.hexdigest() == digest else f"wrong {count} {got.hexdigest()}"

    def serve(listener: socket.socket, handle: object) -> None:
        while True:
            client, _ = listener.accept()
            client.settimeout(60)
            with client:
                try:
                    print(handle(client), flush=True)  # type: ignore[operator]
                except OSError as error:
                    print(f"broken {error}", flush=True)

    for port, handle in ((7000, send), (7001, take)):
        listener = socket.create_server(("", port))
        threading.Thread(target=serve, args=(listener, handle), daemon=True).start()
    print(digest, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
