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
_CHANGES = (
    *("ethtool -L {0} combined 1", "ethtool -L {0} combined 2", "ethtool -G {0} rx 256 tx 256"),
    *("ethtool -G {0} rx 1024 tx 512", "ethtool -X {0} weight 1 0", "ethtool -X {0} default"),
    *("ethtool -C {0} rx-usecs 0 tx-usecs 0", "ethtool -K {0} tx off sg off rx off"),
    *("ethtool -K {0} sg on tx on rx on", "ip link set {0} mtu 1500", "ip link set {0} mtu 9001"),
    *("ethtool -S {0}", "ethtool --reset {0} all", "ip link set {0} down", "ip link set {0} up"),
)
# The kernel fails the n-th allocation that a task makes from now on, wherever it is made, and says
# afterwards how many were left to go. Each of the first eight, then ever fewer of them: behind the
# driver's own a probe makes thousands for the kernel's objects of queues.
_FAILING = ("failslab", "fail_page_alloc")
_ANY_ALLOCATION = " ".join(
    f"echo N > {folder}/ignore-gfp-wait; echo 0 > {folder}/verbose;"
    for folder in (f"/sys/kernel/debug/{name}" for name in _FAILING)
)
_ANY_PAGE = "cd /sys/kernel/debug/fail_page_alloc; echo 0 > min-order; echo N > ignore-gfp-highmem"
_NTH = (
    "n=0; left=0; while [ $left = 0 ] && [ $n -lt {most} ]; do n=$((n + 1 + n / 8));"
    " left=$(echo $n > /proc/self/fail-nth; echo {value} > {file}; read k < /proc/self/fail-nth;"
    " echo 0 > /proc/self/fail-nth; echo ${{k:-0}}); {undo}; done 2> /dev/null; echo $n"
)


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


def change_everything(subject: Machine) -> None:
    """What a user can change; a card may refuse."""
    for command in _CHANGES:
        subject.run(command.format(subject.interface), SLOW, check=False)
    subject.card("link down")
    subject.card("link up")
    # While allocations fail, most attempts to make the queues do, and there is one in ten seconds.
    subject.wait_for_link(seconds=SLOW)


def ask_for_reset(subject: Machine, module: str) -> None:
    """The card asks the project's driver, Amazon's finds that the card says nothing any more."""
    if module == "nitro_ena":
        subject.card("reset")
        return
    subject.card("fault keep-alive-stops on")
    subject.run("sleep 8", SLOW)
    subject.card("fault keep-alive-stops off")


def fail_to_create(subject: Machine) -> None:
    """Channels change while the card makes no queues; later it does, and the link comes back."""
    name = subject.interface
    subject.card("fault create-fails on")
    change = f"ethtool -L {name} combined 1; ethtool -L {name} combined 2"
    subject.run(f"for n in $(seq 8); do {change}; done", SLOW, check=False)
    subject.card("fault create-fails off")


def remove_from_the_bus(subject: Machine, module: str) -> None:
    """The driver lets go of the card and takes it again; the card leaves the bus, and is back."""
    address = subject.run(f"basename $(readlink -f /sys/class/net/{subject.interface}/device)")
    driver = f"/sys/bus/pci/drivers/{module}"
    subject.run(f"echo {address.strip()} > {driver}/unbind", SLOW)
    subject.run(f"echo {address.strip()} > {driver}/bind", SLOW)
    subject.configure()
    subject.run(f"echo 1 > /sys/bus/pci/devices/{address.strip()}/remove", SLOW)
    subject.run("echo 1 > /sys/bus/pci/rescan", SLOW)
    subject.configure()


def fail_each_allocation(subject: Machine, module: str, most: int = 200) -> list[int]:
    """Probe, and then bring the interface up, each time with more allocations that work, until none
    fails or `most` work; how many did at the end of either."""
    subject.run(f"{_ANY_ALLOCATION} {_ANY_PAGE}")
    address = subject.run(f"basename $(readlink -f /sys/class/net/{subject.interface}/device)")
    folder = f"/sys/bus/pci/drivers/{module}"
    unbind = f"echo {address.strip()} > {folder}/unbind"
    subject.run(unbind, SLOW)
    reached = []
    probe = _NTH.format(most=most, value=address.strip(), file=f"{folder}/bind", undo=unbind)
    reached.append(int(subject.run(probe, 3 * SLOW)))
    subject.run(f"echo {address.strip()} > {folder}/bind", SLOW)
    flags = f"/sys/class/net/{subject.interface}/flags"  # up is 0x1003, down 0x1002
    up = _NTH.format(most=most, value="0x1003", file=flags, undo=f"echo 0x1002 > {flags}")
    reached.append(int(subject.run(up, 3 * SLOW)))
    return reached


@contextmanager
def failing_allocations(subject: Machine, module: str, percent: int) -> Iterator[None]:
    """So many of those that the module asks for, whoever called it, fail while the block runs."""
    start = int(subject.run(f"cat /sys/module/{module}/sections/.text"), 16)
    values = {"require-start": start, "require-end": start + (1 << 17), "times": -1}
    values |= {"probability": percent}
    subject.run(f"{_ANY_ALLOCATION} {_ANY_PAGE}")
    for folder in (f"/sys/kernel/debug/{name}" for name in _FAILING):
        words = (f"echo {value} > {folder}/{name}" for name, value in values.items())
        subject.run("; ".join(words))
    yield
    for name in _FAILING:
        subject.run(f"echo 0 > /sys/kernel/debug/{name}/probability")
