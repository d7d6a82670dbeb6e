"""What the model and the C loop (`native/`) both read and write: structures of the host's memory.

The fields are those of `native/loop.h`, in its order. Pointers are plain numbers: who makes a
structure keeps what it points to alive.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_uint16, c_uint32, c_uint64

REGIONS = 256
QUEUES = 128
FLOWS = 1024
WRITES = 512


def _words(*names: str) -> list[tuple[str, type]]:
    return [(name, c_uint64) for name in names]


class RegionState(ctypes.Structure):
    """A region of guest memory that may be written."""

    _fields_ = _words("base", "size", "data")


class MemoryState(ctypes.Structure):
    """The regions: the first `count` hold."""

    _fields_ = [("count", c_uint64), ("region", RegionState * REGIONS)]


class CompletionState(ctypes.Structure):
    """A completion queue; `head` runs freely. `plain`: its memory is there, and nothing but
    completions goes in."""

    _fields_ = _words("address", "depth", "head", "plain")


class ClientState(ctypes.Structure):
    """A vfio-user client, and its writes to registers that are to be carried out. `socket` is
    negative while the loop is not to answer them."""

    _fields_ = [
        ("socket", c_int64),
        *_words("bar0_bytes", "listed"),
        ("list", c_uint64 * WRITES),
    ]


class TxState(ctypes.Structure):
    """A transmit queue for one call, and what the call did."""

    _fields_ = _words(
        *("memory", "cq", "client", "entries", "ring", "index", "depth", "stride", "first", "more"),
        *("header_offset", "max_descriptors", "max_frame", "offloads", "meta_required"),
        *("head", "tail", "meta0", "meta2", "packets", "bytes", "completed"),
    )


class BufferState(ctypes.Structure):
    """A posted receive buffer."""

    _fields_ = [("address", c_uint64), ("length", c_uint32), ("id", c_uint16), ("slot", c_uint16)]


class RxState(ctypes.Structure):
    """A receive queue: its buffers are used from `start` to `end`, which run freely."""

    _fields_ = _words(
        *("memory", "cq", "buffers", "ring", "index", "depth", "by_region"),
        *("start", "end", "stopped"),
    )


class FlowState(ctypes.Structure):
    """A flow that was classified."""

    _fields_ = [
        ("key", c_uint64 * 5),
        ("status", c_uint32),
        ("hash", c_uint32),
        ("queue", c_uint64),
    ]


class ReceiverState(ctypes.Structure):
    """The receive side of a card, and what the last call did."""

    _fields_ = [
        *_words("header", "overflow", "overflow_bytes", "flows", "scratch", "client"),
        *_words("max_descriptors", "status_mask", "hashed", "watched"),
        *_words("frames", "packets", "bytes", "length", "views", "last", "hash", "sequence"),
        ("told", c_uint64),
        ("tell", c_uint64 * QUEUES),
        ("queue", c_uint64 * QUEUES),
    ]


def address_of(data: bytearray | memoryview) -> int:
    """Where the bytes of `data`, which may be written, lie: valid while something holds them."""
    return ctypes.addressof(ctypes.c_char.from_buffer(data))
