"""A vfio-user connection: a stream of messages with file descriptors beside them."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nitro.ena.vfio.messages import (
    HEADER,
    HEADER_SIZE,
    MAX_SIZE,
    NO_REPLY,
    STORE,
    TYPE_MASK,
    Message,
    ProtocolError,
)

MAX_DESCRIPTORS = 16
_CHUNK = 1 << 16
# Carries out what it can of the messages that the bytes begin with; returns their length.
Store: TypeAlias = Callable[[memoryview], int]
_ANCILLARY = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


class Disconnected(Exception):
    """The client is gone."""


class Transport:
    """Reads requests, writes replies. The socket is closed with it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._rest = b""
        connection.setblocking(True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, store: Store) -> list[Message]:
        """All requests that one read completes; waits for it. Raises Disconnected, ProtocolError.

        Messages that `store` carries out are left out. It sees them before the others are carried
        out, which is as good: a driver writes no LLQ entry again before it was completed.

        Descriptors belong to the last message of the read, as the kernel never merges data from
        behind a message with descriptors into the same read.
        """
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(_CHUNK, _ANCILLARY)
        except ConnectionError as error:
            raise Disconnected(str(error)) from error
        descriptors = _descriptors(ancillary)
        if flags & socket.MSG_CTRUNC:
            close_all(descriptors)
            raise ProtocolError(f"more than {MAX_DESCRIPTORS} descriptors in a message")
        if not data:
            close_all(descriptors)
            raise Disconnected("the client closed the connection")
        try:
            messages = self._split(self._rest + data if self._rest else data, descriptors, store)
        except ProtocolError:
            close_all(descriptors)
            raise
        return messages

    def _split(self, data: bytes, descriptors: tuple[int, ...], store: Store) -> list[Message]:
        messages: list[Message] = []
        view, at, end = memoryview(data), 0, len(data)
        while end - at >= HEADER_SIZE:
            ident, command, size, flags, _ = HEADER.unpack_from(view, at)
            if not HEADER_SIZE <= size <= MAX_SIZE:
                raise ProtocolError(f"a message of {size} bytes")
            if flags & TYPE_MASK:
                raise ProtocolError("a reply, or a type that there is not")
            if end - at < size:
                break
            if size == STORE.size and flags == NO_REPLY and (after := store(view[at:])):
                at += after
                continue
            payload = view[at + HEADER_SIZE : at + size]
            at += size
            messages.append(Message(ident, command, flags, payload))
        self._rest = data[at:]
        if descriptors:
            self._attach(messages, descriptors)
        return messages

    def _attach(self, messages: list[Message], descriptors: tuple[int, ...]) -> None:
        if not messages or self._rest:
            raise ProtocolError("descriptors inside a message")
        last = messages[-1]
        messages[-1] = Message(last.id, last.command, last.flags, last.payload, descriptors)

    def send(self, data: bytes) -> None:
        """Send one reply. Raises Disconnected."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected(str(error)) from error

    def close(self) -> None:
        self._socket.close()


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return tuple(found)


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
