"""What the local Nitro itself costs: starting it, trying KVM, the way in from the host.

    python -m benchmarks.local [--json]

The relay is measured between two addresses of the loopback, so that it is the limit and not a
guest. The local Nitro that is started has a state directory of its own.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from nitro import local
from nitro.local import accel, broker, qemu
from nitro.local.hypervisor import PortRange
from nitro.local.relay import Relay

PUBLIC, PRIVATE = "127.90.0.1", "127.90.0.2"
MEGABYTES = 2000


def measure() -> dict[str, tuple[float, str]]:
    """Each figure and its unit."""
    emulator = qemu.find()
    with tempfile.TemporaryDirectory() as state:
        os.environ["NITRO_STATE"] = state
        local.up()  # fetches what is missing
        local.down()
        start = _seconds(local.up)
        stop = _seconds(local.down)
    return {
        "start the local Nitro": (start, "s"),
        "end it": (stop, "s"),
        "try an accelerator (TCG)": (_seconds(lambda: accel.boots(emulator, "tcg")), "s"),
        "relay, host to guest": (_relayed(), "Gbit/s"),
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _relayed() -> float:
    """Throughput of one connection through the relay, in Gbit/s."""
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    threading.Thread(target=broker.serve, args=(outside,), daemon=True).start()
    with inside, socket.create_server((PRIVATE, 0)) as guest:
        port = guest.getsockname()[1]
        relay = Relay(broker.HostSockets(inside), PUBLIC, PRIVATE, lambda *_: True)
        relay.permit([PortRange("tcp", port, port)])
        client = _connected(port)
        peer, _ = guest.accept()
        block = bytes(1_000_000)

        def send() -> None:
            with client:
                for _ in range(MEGABYTES):
                    client.sendall(block)

        began = time.perf_counter()
        threading.Thread(target=send, daemon=True).start()
        received, buffer = 0, bytearray(1_000_000)
        with peer:
            while count := peer.recv_into(buffer):
                received += count
        elapsed = time.perf_counter() - began
        relay.close()
    if received != MEGABYTES * 1_000_000:
        raise RuntimeError(f"{received} bytes arrived of {MEGABYTES} MB")
    return received * 8 / elapsed / 1e9


def _connected(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection((PUBLIC, port))
        except ConnectionRefusedError:
            time.sleep(0.01)


def main() -> None:
    figures = measure()
    if "--json" in sys.argv:
        print(json.dumps({name: {"value": v, "unit": u} for name, (v, u) in figures.items()}))
    else:
        for name, (value, unit) in figures.items():
            print(f"{name:32}{value:8.2f} {unit}")


if __name__ == "__main__":
    main()
