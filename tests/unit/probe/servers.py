"""What `bench` serves, started on loopback ports for one test."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from nitro.probe.boot import accepts


class Ports(NamedTuple):
    """Of this machine, free a moment ago."""

    iperf3: int
    netserver: int
    lighttpd: int
    data: int  # for netserver's measurements

    @classmethod
    def choose(cls) -> Ports:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in cls._fields]
        ports = cls(*(held.getsockname()[1] for held in sockets))
        for held in sockets:
            held.close()
        return ports


@contextmanager
def serving(tools: Path, folder: Path, ports: Ports) -> Iterator[None]:
    """iperf3, netserver and lighttpd, until the context ends."""
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("hello\n")
    (folder / "lighttpd.conf").write_text(
        f'server.document-root = "{folder}/www"\n'
        f'server.bind = "127.0.0.1"\nserver.port = {ports.lighttpd}\n'
        'index-file.names = ("index.html")\n'
    )
    commands = (
        ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(ports.iperf3)],
        ["netserver", "-D", "-L", "127.0.0.1", "-4", "-p", str(ports.netserver)],
        ["lighttpd", "-D", "-f", str(folder / "lighttpd.conf")],
    )
    with ExitStack() as stack:
        for name, *arguments in commands:
            server = subprocess.Popen(
                [tools / name, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.enter_context(server)
            stack.callback(server.kill)
        until = time.monotonic() + 60
        while not all(accepts(("127.0.0.1", port)) for port in ports[:3]):
            assert time.monotonic() < until, "the servers did not come up"
            time.sleep(0.1)
        yield
