"""vfio-user messages: headers and payloads, without I/O. All fields are in host byte order."""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import Any, NamedTuple

HEADER = struct.Struct("<HHIII")
HEADER_SIZE = HEADER.size
MAX_SIZE = 1 << 20

TYPE_MASK = 0xF
REPLY = 1
NO_REPLY = 1 << 4
ERROR = 1 << 5


class Command(IntEnum):
    VERSION = 1
    DMA_MAP = 2
    DMA_UNMAP = 3
    GET_INFO = 4
    GET_REGION_INFO = 5
    GET_REGION_IO_FDS = 6
    GET_IRQ_INFO = 7
    SET_IRQS = 8
    REGION_READ = 9
    REGION_WRITE = 10
    DMA_READ = 11
    DMA_WRITE = 12
    DEVICE_RESET = 13


DMA_MAP = struct.Struct("<IIQQQ")
DMA_UNMAP = struct.Struct("<IIQQ")
DEVICE_INFO = struct.Struct("<IIII")
REGION_INFO = struct.Struct("<IIIIQQ")
IRQ_INFO = struct.Struct("<IIII")
IRQ_SET = struct.Struct("<IIIII")
REGION_ACCESS = struct.Struct("<QII")

# Posted writes of four and of eight bytes, whole: what is the same in all of them; offset; region
# and count; data.
POSTED_4 = struct.Struct("<2x14sQ8sI")
POSTED_4_HEADER = struct.pack("<HIII", Command.REGION_WRITE, POSTED_4.size, NO_REPLY, 0)
POSTED_8 = struct.Struct("<2x14sQ8sQ")
POSTED_8_HEADER = struct.pack("<HIII", Command.REGION_WRITE, POSTED_8.size, NO_REPLY, 0)

DMA_READABLE, DMA_WRITABLE = 1, 2
DMA_UNMAP_ALL = 2
DEVICE_RESETS, DEVICE_IS_PCI = 1, 2
REGION_READABLE, REGION_WRITABLE, REGION_MAPPABLE = 1, 2, 4
IRQ_EVENTFD, IRQ_NO_RESIZE = 1, 8
IRQ_DATA_NONE, IRQ_DATA_BOOL, IRQ_DATA_EVENTFD = 1, 2, 4
IRQ_TRIGGER = 1 << 5


class ProtocolError(Exception):
    """The client's bytes are no vfio-user messages: the connection is of no more use."""


class Message(NamedTuple):
    """One request: its payload, and the descriptors that came with it (the receiver's to close)."""

    id: int
    command: int
    flags: int
    payload: memoryview
    descriptors: tuple[int, ...] = ()

    @property
    def wants_reply(self) -> bool:
        return not self.flags & NO_REPLY


def reply(message: Message, payload: bytes = b"") -> bytes:
    """A successful answer."""
    size = HEADER_SIZE + len(payload)
    return HEADER.pack(message.id, message.command, size, REPLY, 0) + payload


def failure(message: Message, errno: int) -> bytes:
    """An answer that says `errno`: the header alone."""
    return HEADER.pack(message.id, message.command, HEADER_SIZE, REPLY | ERROR, errno)


def parse_version(payload: memoryview) -> int:
    """The major version of a VERSION request. Raises ProtocolError.

    The capabilities only have to be JSON: nothing here depends on the client's.
    """
    if len(payload) < 4:
        raise ProtocolError("a VERSION message without a version")
    text = bytes(payload[4:]).split(b"\0")[0]
    try:
        json.loads(text or b"{}")
    except ValueError as error:
        raise ProtocolError(f"version data is not JSON: {error}") from error
    (major,) = struct.unpack_from("<H", payload)
    return int(major)


def version_payload(capabilities: dict[str, Any]) -> bytes:
    """This server speaks 0.0."""
    text = json.dumps({"capabilities": capabilities}, separators=(",", ":"))
    return struct.pack("<HH", 0, 0) + text.encode() + b"\0"
