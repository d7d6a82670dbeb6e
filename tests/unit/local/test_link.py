"""Interfaces made in a network namespace of the test's own."""

from __future__ import annotations

import os
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


def test_long_names_are_refused_not_cut() -> None:
    with pytest.raises(ValueError, match="longer than 15"):
        link.set_mtu("a-name-that-is-too-long", 1500)
