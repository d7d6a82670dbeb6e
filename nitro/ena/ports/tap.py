"""A Linux tap device as the far end: the kernel splits, joins and checks for us.

Whole TCP segments go through in both directions with a virtio-net header, gathered from and
scattered to guest memory by the kernel. Nothing here makes bridges or addresses.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Literal

from nitro.ena.offload import HEADER_SIZE, Buffer
from nitro.errors import NitroError

_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_CSUM, _TSO4, _TSO6, _TSO_ECN = 1, 2, 4, 8


class TapPort:
    """An open tap with virtio-net headers. `descriptor` is closed with the port."""

    is_descriptor: Literal[True] = True

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor
        self._accepted: int | None = None
        os.set_blocking(descriptor, False)
        fcntl.ioctl(descriptor, _TUNSETVNETHDRSZ, struct.pack("i", HEADER_SIZE))
        self.accept(checksums=False, segments=False)

    @classmethod
    def open(cls, name: str) -> TapPort:
        """Attach to the interface `name`, made if need be. Raises NitroError."""
        try:
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise NitroError(f"cannot open /dev/net/tun: {error.strerror}") from error
        try:
            request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
            fcntl.ioctl(descriptor, _TUNSETIFF, request)
            return cls(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise NitroError(
                f"cannot use tap {name}: {error.strerror}",
                hint="it must be a tap that this user may open, not in use elsewhere",
            ) from error

    def fileno(self) -> int:
        return self._fd

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        try:
            os.writev(self._fd, [header, *parts])
        except BlockingIOError:
            return False
        except OSError as error:
            # The interface is down or the kernel refuses the frame: it is lost, as on a cable.
            self._check(error)
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        try:
            return os.readv(self._fd, [header, *parts]) - HEADER_SIZE
        except BlockingIOError:
            return 0
        except OSError as error:
            self._check(error)
            return 0

    def accept(self, *, checksums: bool, segments: bool) -> None:
        wanted = _CSUM if checksums else 0
        if checksums and segments:
            wanted |= _TSO4 | _TSO6 | _TSO_ECN
        if wanted != self._accepted and self._fd >= 0:
            self._accepted = wanted
            fcntl.ioctl(self._fd, _TUNSETOFFLOAD, wanted)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _check(self, error: OSError) -> None:
        """Give up a tap whose interface was deleted."""
        if error.errno in (errno.EBADFD, errno.EBADF, errno.ENODEV):
            self.close()


def is_tap(descriptor: int) -> bool:
    """Whether an inherited descriptor is a tap rather than a socket."""
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink() == Path("/dev/net/tun")
    except OSError:
        return False
