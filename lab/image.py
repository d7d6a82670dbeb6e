"""A machine that boots an image of ours on QEMU's user-mode network,, for a `with` block."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro.console import Milestone, milestones
from nitro.image import Image
from nitro.local import qemu
from nitro.local.nic import UserNic
from nitro.ports import Forward, tcp_numbers

DEADLINE = 90.0
"""Seconds for a milestone: an image is up in five, a busy machine may take many times that."""


@dataclass
class Booted:
    """`ports` maps ports of the guest to ports of 127.0.0.1."""

    process: subprocess.Popen[bytes]
    console_path: Path
    folder: Path
    ports: dict[int, int]

    @property
    def console(self) -> str:
        if not self.console_path.exists():
            return ""
        return self.console_path.read_text(errors="replace")

    def wait_for(self, name: str, deadline: float = DEADLINE) -> Milestone:
        """The first milestone of that name."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            found = [m for m in milestones(self.console) if m.name == name]
            if found:
                return found[0]
            ended = self.process.poll() is not None
            if ended and name not in self.console:
                break
            time.sleep(0.1)
        raise AssertionError(f"no milestone {name!r} on the console:\n{self.console}")

    def wait_for_end(self, deadline: float = DEADLINE) -> None:
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.console}") from None

    def connect(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[port]), timeout=20)

    def ask(self, port: int, request: bytes) -> bytes:
        """Send `request`, say that it is all, and read the whole answer."""
        with self.connect(port) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while block := connection.recv(65536):
                answer += block
        return answer

    def get(self, port: int, path: str = "/") -> str:
        request = f"GET {path} HTTP/1.0\r\nHost: guest\r\n\r\n"
        return self.ask(port, request.encode()).decode()


@contextmanager
def booted(image: Image, folder: Path, **machine: Any) -> Iterator[Booted]:
    """`machine`: fields of `nitro.local.qemu.Machine` that differ from the image's own."""
    tcp = tcp_numbers(image.ports)
    ports = dict(zip(tcp, _free(len(tcp)), strict=True))
    disk = folder / "disk"
    shutil.copyfile(image.path, disk)
    console = folder / "console"
    described = {
        "disks": (qemu.Disk(disk),),
        "console": console,
        "memory_mib": image.minimum_memory_mib,
        "boot_mode": "legacy-bios",
        "cards": (UserNic(Forward("tcp", host, guest) for guest, host in ports.items()).card,),
        "extra": ("-no-reboot",),
        **machine,
    }
    with qemu.boot(qemu.find(), qemu.Machine(**described), folder) as process:
        yield Booted(process, console, folder, ports)


def _free(count: int) -> list[int]:
    """Ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports
