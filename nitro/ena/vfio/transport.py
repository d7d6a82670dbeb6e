"""A vfio-user connection: a stream of messages with file descriptors beside them."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Protocol

from nitro.ena.vfio.messages import (
    HEADER,
    HEADER_SIZE,
    MAX_SIZE,
    TYPE_MASK,
    Message,
    ProtocolError,
)

MAX_DESCRIPTORS = 16
_CHUNK = 1 << 16
_TRUNCATED = int(socket.MSG_CTRUNC)  # a number: the flag's own operators are slow
_ANCILLARY = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


class Disconnected(Exception):
    """The client is gone."""


class Handler(Protocol):
    """Who carries the messages out."""

    def posted(self, data: memoryview) -> int:
        """Carry out those of the messages that `data` begins with that it can without taking
        them apart; returns their length."""
        ...

    def handle(self, message: Message) -> None:
        """Carry out one message. Its payload is valid for the call."""
        ...


class Transport:
    """Reads requests, writes replies. The socket is closed with it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._rest = b""
        # Always the same memory: to make 64 KiB anew takes as long as to receive a message.
        self._buffer = memoryview(bytearray(_CHUNK))
        connection.setblocking(True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, handler: Handler) -> None:
        """Have all messages that one read completes carried out, in order; waits for it. Raises
        Disconnected, ProtocolError.

        Descriptors belong to the last message of the read, as the kernel never merges data from
        behind a message with descriptors into the same read.
        """
        try:
            count, ancillary, flags, _ = self._socket.recvmsg_into([self._buffer], _ANCILLARY)
        except ConnectionError as error:
            raise Disconnected(str(error)) from error
        descriptors = _descriptors(ancillary) if ancillary else ()
        if flags & _TRUNCATED:
            close_all(descriptors)
            raise ProtocolError(f"more than {MAX_DESCRIPTORS} descriptors in a message")
        if not count:
            close_all(descriptors)
            raise Disconnected("the client closed the connection")
        data = self._buffer[:count]
        if self._rest:
            data = memoryview(bytearray(self._rest) + data)
        if descriptors:
            self._dispatch_with(descriptors, data, handler)
        else:
            self._dispatch(data, handler)

    def _dispatch(self, data: memoryview, handler: Handler) -> None:
        at, end = 0, len(data)
        while at < end:
            if done := handler.posted(data[at:]):
                at += done
            elif message := _parse(data[at:]):
                at += HEADER_SIZE + len(message.payload)
                handler.handle(message)
            else:
                break
        self._rest = bytes(data[at:])

    def _dispatch_with(
        self, descriptors: tuple[int, ...], data: memoryview, handler: Handler
    ) -> None:
        at, messages = 0, []
        try:
            while message := _parse(data[at:]):
                at += HEADER_SIZE + len(message.payload)
                messages.append(message)
            if at < len(data):
                raise ProtocolError("descriptors inside a message")
        except ProtocolError:
            close_all(descriptors)
            raise
        self._rest = b""
        *others, last = messages
        for message in others:
            handler.handle(message)
        handler.handle(last._replace(descriptors=descriptors))

    def send(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one reply. Raises Disconnected."""
        try:
            if descriptors:
                data = data[socket.send_fds(self._socket, [data], descriptors) :]
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected(str(error)) from error

    def close(self) -> None:
        self._socket.close()


def _parse(data: memoryview) -> Message | None:
    """The message that `data` begins with; None if it does not hold all of it. Raises
    ProtocolError."""
    if len(data) < HEADER_SIZE:
        return None
    ident, command, size, flags, _ = HEADER.unpack_from(data)
    if not HEADER_SIZE <= size <= MAX_SIZE:
        raise ProtocolError(f"a message of {size} bytes")
    if flags & TYPE_MASK:
        raise ProtocolError("a reply, or a type that there is not")
    if len(data) < size:
        return None
    return Message(ident, command, flags, data[HEADER_SIZE:size])


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
