"""Sockets of the host for a process inside a network namespace.

The broker stays outside and opens what it is asked for; descriptors travel over a socket pair
(SCM_RIGHTS). It opens sockets on 127.0.0.0/8 and nothing else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import select
import socket
import threading

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
BACKLOG = 1024
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
_MESSAGE = 4096


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes. `channel` is a SOCK_SEQPACKET socket."""
    while request := channel.recv(_MESSAGE):
        try:
            opened = _open(**json.loads(request))
        except OSError as error:
            channel.send(json.dumps({"errno": error.errno}).encode())
        else:
            with opened:
                socket.send_fds(channel, [b"{}"], [opened.fileno()])


def _open(kind: str, host: str, port: int) -> socket.socket:
    if ipaddress.IPv4Address(host) not in _LOOPBACK:
        raise PermissionError(1, f"{host} is not an address of the loopback")
    opened = socket.socket(socket.AF_INET, KINDS[kind])
    try:
        if kind == "tcp":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        if kind == "tcp":
            opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


class HostSockets:
    """The inside's view of the broker."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def open(self, kind: str, host: str, port: int) -> socket.socket:
        """A bound socket of the host ("tcp": listening). OSError as bind(2) says.

        Port 0 takes a free one.
        """
        request = json.dumps({"kind": kind, "host": host, "port": port}).encode()
        with self._lock:
            self._channel.send(request)
            answer, fds, _, _ = socket.recv_fds(self._channel, _MESSAGE, 1)
        if not answer:
            raise ConnectionResetError("the process that opens the host's sockets is gone")
        number = json.loads(answer).get("errno")
        if number is not None:
            raise OSError(number, f"{os.strerror(number)}: {host}:{port}/{kind}")
        return socket.socket(fileno=fds[0])

    def wait_gone(self) -> None:
        """Block until the outside has closed, by intention or because it died."""
        poll = select.poll()
        poll.register(self._channel, select.POLLRDHUP)
        while not any(event & (select.POLLRDHUP | select.POLLHUP) for _, event in poll.poll()):
            pass
