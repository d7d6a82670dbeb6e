"""Bridges, taps and addresses by ioctl: what `ip` would do, with no `ip` on the machine.

All of it acts on the network namespace of the calling process and needs CAP_NET_ADMIN there.
Numbers: <linux/sockios.h>, <linux/if_tun.h>, <linux/if.h>.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

from nitro.errors import NitroError

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8916, 0x891C, 0x8922
_SIOCBRADDBR, _SIOCBRDELBR, _SIOCBRADDIF = 0x89A0, 0x89A1, 0x89A2
_SIOCSIFHWADDR = 0x8924
_IFF_UP, _ARPHRD_ETHER = 0x1, 1

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_TUN = "/dev/net/tun"

MTU = 9001  # bytes; a VPC's


def mac_of(address: str) -> str:
    """The MAC address that goes with an IPv4 address here.

    An address that is used again keeps it: DHCP leases and neighbours' caches stay right.
    """
    return "02:00:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)


def add_bridge(name: str, mac: str, mtu: int = MTU) -> None:
    """Make a bridge without spanning tree and bring it up. `name` has at most 15 bytes.

    With a `mac` of its own, the bridge does not take that of a port, and change with its ports.
    """
    with _control() as control:
        fcntl.ioctl(control, _SIOCBRADDBR, name.encode() + b"\0")
        sockaddr = struct.pack("=H6s", _ARPHRD_ETHER, bytes.fromhex(mac.replace(":", "")))
        fcntl.ioctl(control, _SIOCSIFHWADDR, struct.pack("16s24s", _encoded(name), sockaddr))
    set_mtu(name, mtu)
    bring_up(name)


def delete_bridge(name: str) -> None:
    bring_down(name)
    with _control() as control:
        fcntl.ioctl(control, _SIOCBRDELBR, name.encode() + b"\0")


def attach(bridge: str, port: str) -> None:
    """Make an interface a port of the bridge."""
    with _control() as control:
        fcntl.ioctl(control, _SIOCBRADDIF, _ifreq(bridge, "i", socket.if_nametoindex(port)))


def open_tap(name: str, mtu: int = MTU) -> int:
    """Make a tap with vnet headers and bring it up; it lives as long as the descriptor returned.

    Raises NitroError when /dev/net/tun is missing or not for this user.
    """
    try:
        fd = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NitroError(
            f"cannot open {_TUN}: {error.strerror}",
            hint=f"load the tun module, or let users open it: chmod 0666 {_TUN}",
        ) from error
    try:
        fcntl.ioctl(fd, _TUNSETIFF, _ifreq(name, "H", _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
        set_mtu(name, mtu)
        bring_up(name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def bring_up(name: str) -> None:
    _change_flags(name, on=_IFF_UP)


def bring_down(name: str) -> None:
    _change_flags(name, off=_IFF_UP)


def set_mtu(name: str, mtu: int) -> None:
    with _control() as control:
        fcntl.ioctl(control, _SIOCSIFMTU, _ifreq(name, "i", mtu))


def add_ipv4(label: str, address: ipaddress.IPv4Interface) -> None:
    """Give an interface an address. A `label` "lo:1" adds to those that "lo" has."""
    with _control() as control:
        fcntl.ioctl(control, _SIOCSIFADDR, _ifreq_ipv4(label, address.ip))
        fcntl.ioctl(control, _SIOCSIFNETMASK, _ifreq_ipv4(label, address.netmask))


def add_ipv6(name: str, address: ipaddress.IPv6Interface) -> None:
    """Give an interface an address at once, without asking whether another has it."""
    Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
    index = socket.if_nametoindex(name)
    request = struct.pack("=16sIi", address.ip.packed, address.network.prefixlen, index)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, _SIOCSIFADDR, request)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise


def _control() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _ifreq(name: str, code: str, value: int) -> bytes:
    """A struct ifreq: 16 bytes of name, then a union of 24."""
    return struct.pack("16s24s", _encoded(name), struct.pack("=" + code, value))


def _ifreq_ipv4(name: str, address: ipaddress.IPv4Address) -> bytes:
    sockaddr = struct.pack("=HH4s", socket.AF_INET, 0, address.packed)
    return struct.pack("16s24s", _encoded(name), sockaddr)


def _encoded(name: str) -> bytes:
    raw = name.encode()
    if len(raw) > 15:
        raise ValueError(f"the interface name {name} is longer than 15 bytes")
    return raw


def _change_flags(name: str, *, on: int = 0, off: int = 0) -> None:
    with _control() as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _ifreq(name, "H", 0))
        flags = struct.unpack_from("=H", answer, 16)[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, _ifreq(name, "H", flags & ~off | on))
