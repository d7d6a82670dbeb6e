"""What the tests under debug kernels do to a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab.driver import Machine
from lab.guest import GUEST
from lab.network import HOST, eventually

SLOW = 180  # seconds that a command may take: everything is checked, and emulated
_TRAFFIC = (
    f"(while [ ! -e /tmp/stop ]; do iperf3 -c {HOST} -t 5 --bidir --connect-timeout 2000;"
    " done > /dev/null 2>&1; touch /tmp/stopped) &"
)
_LISTEN = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as listener:
    listener.bind(("", int(sys.argv[1])))
    while True:
        print(listener.recv(2048).decode(), end="")
"""


@contextmanager
def traffic(subject: Machine) -> Iterator[None]:
    """TCP both ways, again and again while the block runs."""
    subject.run("rm -f /tmp/stop /tmp/stopped")
    subject.run(_TRAFFIC)
    yield
    subject.run("touch /tmp/stop; while [ ! -e /tmp/stopped ]; do sleep 1; done", SLOW)


def log_over_the_network(subject: Machine) -> None:
    """Lines of the kernel's log leave by netconsole, which finds a small ring full."""
    name = subject.interface
    target = f"@{GUEST}/{name},6666@{HOST}/02:00:00:00:00:01"
    subject.run(f"ethtool -L {name} combined 1; ethtool -G {name} rx 256 tx 256", SLOW)
    subject.run("echo on > /proc/sys/kernel/printk_devkmsg")
    with subject.lab.start("netconsole", [sys.executable, "-uc", _LISTEN, "6666"]):
        subject.run(f"insmod /modules/netconsole.ko netconsole={target}", SLOW)
        subject.run("for n in $(seq 100); do echo line $n > /dev/kmsg; done", SLOW)
        eventually("a line", lambda: "line" in subject.lab.log("netconsole"))
        subject.run("rmmod netconsole", SLOW)


def prepare(subject: Machine, module: str) -> None:
    subject.run("mount -t debugfs debugfs /sys/kernel/debug")
    subject.run(f"insmod /modules/{module}.ko", SLOW)
