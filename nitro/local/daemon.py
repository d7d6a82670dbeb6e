"""The process of the local Nitro, in two halves with a socket pair between them.

    outside  this machine's network: holds the lock, opens sockets for the inside (`broker`)
    inside   a network, process and (for users) user namespace of its own: endpoint, subnets,
             metadata, machines

The inside is process 1 of its namespace: when it ends, however it ends, the kernel ends every
QEMU and dnsmasq with it. When the outside ends, the inside sees the socket pair close and ends.

    python -m nitro.local.daemon FOLDER     started by `nitro.local.up()`
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from nitro.errors import NitroError
from nitro.local import broker
from nitro.local.control import ENDPOINT, LOCK, REGION, STARTED, WEATHER

if TYPE_CHECKING:
    from nitro.local.weather import Conditions

END_SECONDS = 10.0
LOCK_SECONDS = 1.0
KEEP_SECONDS = 1200.0  # between two notes that programs are used; less than `cache.YOUNG`


def outside(folder: Path) -> int:
    """Run until told to end by SIGTERM, or until the inside has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as lock:
        if not _locked(lock):
            print("another local Nitro runs here", file=sys.stderr)
            return 1
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        inner = subprocess.Popen(
            [
                *isolation(os.geteuid()),
                *(sys.executable, "-m", "nitro.local.daemon", str(folder)),
                str(theirs.fileno()),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ours.shutdown(socket.SHUT_RDWR)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        threading.Thread(target=_end_with_starter, args=(inner, ours), daemon=True).start()
        try:
            broker.serve(ours)
        except OSError as error:
            print(f"the inside is gone: {error}", file=sys.stderr)
        finally:
            ours.close()
            (folder / ENDPOINT).unlink(missing_ok=True)
        try:
            return inner.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            inner.kill()
            return inner.wait()


def _locked(lock: TextIO) -> bool:
    """Take the lock. Whoever asks for the status holds it for a moment: try for longer."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def _end_with_starter(inner: subprocess.Popen[bytes], channel: socket.socket) -> None:
    """End when the process that started this one ends before it has seen the endpoint."""
    if os.read(sys.stdin.fileno(), len(STARTED)) != STARTED:
        print("the command that started this has ended", file=sys.stderr)
        inner.kill()
        with contextlib.suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)


def isolation(user: int) -> list[str]:
    """The start of a command line that runs the rest in namespaces of its own."""
    line = ["unshare", "--net", "--pid", "--fork", "--kill-child=KILL"]
    return line if user == 0 else [*line, "--user", "--map-root-user"]


def inside(folder: Path, channel: socket.socket) -> None:
    """Serve the endpoint and run machines until the outside closes `channel`."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

    # moto takes most of the time to start; the outside's own imports must stay small.
    from nitro.local.service import Service

    host = broker.HostSockets(channel)
    service = Service(folder, host, weather(folder))
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())

    def stop_when_alone() -> None:
        host.wait_gone()
        stopping.set()

    threading.Thread(target=stop_when_alone, daemon=True).start()
    service.start()
    announcement = {
        "url": service.url,
        "guest_ca": service.guest_ca,
        "region": REGION,
        "access_key": service.key.access,
        "secret_key": service.key.secret,
    }
    partial = folder / f"{ENDPOINT}.partial"
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(announcement))
    partial.replace(folder / ENDPOINT)
    _keep_programs(stopping)
    service.stop()


def _keep_programs(stopping: threading.Event) -> None:
    """Note in the cache, until `stopping`, that the programs are used: none can be fetched in here.

    No machine may have been started for long.
    """
    from nitro import cache
    from nitro.local import programs

    with contextlib.suppress(NitroError, OSError):  # one that is not there
        programs.find()
    while not stopping.wait(KEEP_SECONDS):
        cache.touch_again()


def weather(folder: Path) -> Conditions:
    """The conditions that `nitro local up --weather` left in the folder."""
    from nitro.local.weather import FAIR, Conditions

    with contextlib.suppress(FileNotFoundError):
        return Conditions.model_validate_json((folder / WEATHER).read_text())
    return FAIR


def main() -> int:
    folder = Path(sys.argv[1])
    if len(sys.argv) == 2:
        return outside(folder)
    with socket.socket(fileno=int(sys.argv[2])) as channel:
        inside(folder, channel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
