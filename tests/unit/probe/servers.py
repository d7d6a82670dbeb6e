"""What `bench` serves, started on loopback ports for one test."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nitro.probe.boot import accepts

PORTS = (15201, 22865, 18080)


@contextmanager
def serving(tools: Path, folder: Path) -> Iterator[None]:
    """iperf3 on 15201, netserver on 22865 and lighttpd on 18080, until the context ends."""
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("hello\n")
    (folder / "lighttpd.conf").write_text(
        f'server.document-root = "{folder}/www"\n'
        'server.bind = "127.0.0.1"\nserver.port = 18080\nindex-file.names = ("index.html")\n'
    )
    commands = (
        ["iperf3", "-s", "-B", "127.0.0.1", "-p", "15201"],
        ["netserver", "-D", "-L", "127.0.0.1", "-4", "-p", "22865"],
        ["lighttpd", "-D", "-f", str(folder / "lighttpd.conf")],
    )
    with ExitStack() as stack:
        for name, *arguments in commands:
            server = subprocess.Popen(
                [tools / name, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.enter_context(server)
            stack.callback(server.kill)
        until = time.monotonic() + 20
        while not all(accepts(("127.0.0.1", port)) for port in PORTS):
            assert time.monotonic() < until, "the servers did not come up"
            time.sleep(0.1)
        yield
