"""Write the trace of a card while Linux's own driver finds it: `python -m lab.trace FILE`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lab.guest import GUEST, boot, ena_nic
from lab.network import HOST, Lab


def record(trace: Path, profile: str = "minimal") -> None:
    """Boot a guest, load its driver, change the MTU and send a ping; `trace` records it."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        socket = lab.folder / "ena"
        options = ("--profile", profile, "--trace", str(trace.absolute()))
        with lab.card(socket, *options), boot(lab, "trixie", ena_nic(socket)) as guest:
            guest.run("insmod /modules/ena.ko")
            guest.run(f"ip addr add {GUEST}/24 dev eth0; ip link set eth0 mtu 9001 up; sleep 2")
            guest.run(f"ping -c 1 {HOST}")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
