"""Interfaces made in a network namespace of the test's own."""

from __future__ import annotations

import ipaddress
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from nitro.local import link
from nitro.local.daemon import isolation

SCRIPT = """
import fcntl, ipaddress, os, socket, struct, time
from pathlib import Path
from nitro.local import link

link.bring_up("lo")
link.add_bridge("bridge0", "02:00:0a:09:00:01")
link.add_ipv4("bridge0", ipaddress.IPv4Interface("10.9.0.1/24"))
link.add_ipv4("lo:1", ipaddress.IPv4Interface("169.254.169.254/32"))
link.add_ipv6("bridge0", ipaddress.IPv6Interface("fd00::1/64"))
tap = link.open_tap("tap0")
link.attach("bridge0", "tap0")
devices = Path("/proc/net/dev").read_text()
assert "tap0" in devices and "bridge0" in devices
for address in ("10.9.0.1", "169.254.169.254"):
    socket.socket().bind((address, 0))
for _ in range(100):  # the kernel makes the address usable in its own time
    try:
        socket.socket(socket.AF_INET6).bind(("fd00::1", 0))
        break
    except OSError:
        time.sleep(0.01)
else:
    raise SystemExit("fd00::1 cannot be used after a second")
def bridge_mac():
    request = struct.pack("16s24s", b"bridge0", b"")
    return fcntl.ioctl(socket.socket(), 0x8927, request)[18:24].hex(":")  # SIOCGIFHWADDR
assert bridge_mac() == "02:00:0a:09:00:01"  # and not its port's
os.close(tap)
assert bridge_mac() == "02:00:0a:09:00:01"
assert "tap0" not in Path("/proc/net/dev").read_text()
link.delete_bridge("bridge0")
assert "bridge0" not in Path("/proc/net/dev").read_text()
print("done")
"""


@pytest.mark.extended
@pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="/dev/net/tun is not for us")
def test_bridge_tap_and_addresses_come_and_go() -> None:
    root = Path(link.__file__).parents[2]
    done = subprocess.run(
        [*isolation(os.geteuid()), sys.executable, "-c", SCRIPT],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout == "done\n", done.stderr


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """The requests of interface br0, by a kernel that remembers its flags."""
    found: list[tuple[int, bytes]] = []
    flags = [0x1002]  # IFF_BROADCAST, IFF_MULTICAST

    def ioctl(_: object, number: int, request: bytes) -> bytes:
        found.append((number, request))
        if number == 0x8914:
            flags.append(int.from_bytes(request[16:18], sys.byteorder))
        return ifreq(struct.pack("=H", flags[-1])) if number == 0x8913 else request

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    monkeypatch.setattr("socket.if_nametoindex", lambda name: 7)
    monkeypatch.setattr(link, "_TUN", "/dev/null")
    return found


def test_each_step_asks_the_kernel_by_the_number_that_its_headers_give(
    asked: list[tuple[int, bytes]],
) -> None:
    link.add_bridge("br0", "02:00:0a:09:00:01", 1500)
    link.attach("br0", "lo")
    link.add_ipv4("br0", ipaddress.IPv4Interface("10.9.0.1/24"))
    link.delete_bridge("br0")
    assert asked == [
        (0x89A0, b"br0\0"),  # SIOCBRADDBR of <linux/sockios.h>
        (0x8924, ifreq(struct.pack("=H", 1) + bytes.fromhex("02000a090001"))),  # SIOCSIFHWADDR
        (0x8922, ifreq(struct.pack("=i", 1500))),  # SIOCSIFMTU
        (0x8913, ifreq(bytes(2))),  # SIOCGIFFLAGS
        (0x8914, ifreq(struct.pack("=H", 0x1003))),  # SIOCSIFFLAGS, with IFF_UP
        (0x89A2, ifreq(struct.pack("=i", 7))),  # SIOCBRADDIF
        (0x8916, ifreq(struct.pack("=HH4B", 2, 0, 10, 9, 0, 1))),  # SIOCSIFADDR
        (0x891C, ifreq(struct.pack("=HH4B", 2, 0, 255, 255, 255, 0))),  # SIOCSIFNETMASK
        (0x8913, ifreq(bytes(2))),
        (0x8914, ifreq(struct.pack("=H", 0x1002))),  # without IFF_UP
        (0x89A1, b"br0\0"),  # SIOCBRDELBR
    ]


def test_a_tap_has_the_flags_that_a_card_needs(asked: list[tuple[int, bytes]]) -> None:
    os.close(link.open_tap("br0", 1500))
    # TUNSETIFF with IFF_TAP | IFF_NO_PI | IFF_VNET_HDR of <linux/if_tun.h>
    assert asked[0] == (0x400454CA, ifreq(struct.pack("=H", 0x5002)))
    assert asked[1] == (0x8922, ifreq(struct.pack("=i", 1500)))
    assert asked[-1] == (0x8914, ifreq(struct.pack("=H", 0x1003)))


def ifreq(value: bytes) -> bytes:
    """struct ifreq of br0."""
    return b"br0".ljust(16, b"\0") + value.ljust(24, b"\0")


def test_long_names_are_refused_not_cut() -> None:
    with pytest.raises(ValueError, match="longer than 15"):
        link.set_mtu("a-name-that-is-too-long", 1500)
