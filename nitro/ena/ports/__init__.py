"""The far end of the card's cable: a tap, a stream socket, a switch inside the process.

A port moves frames and the virtio-net header beside each (`offload.py`); it knows nothing of
rings or guests. It never blocks.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from nitro.ena.offload import Buffer


class Port(Protocol):
    """What the card asks of its cable."""

    def fileno(self) -> int:
        """To wait on for frames, and for room when `send` said False; -1 once the other end is
        gone for good. Frames sent then are lost, as with a cable pulled out."""
        ...

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        """Send one frame, given in parts; False if there is no room now (try again)."""
        ...

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        """Read one frame into `parts`, which has room for the largest, and its virtio-net header
        into `header`. Returns the frame's length, 0 if none is there."""
        ...

    def accept(self, *, checksums: bool, segments: bool) -> None:
        """Say which unfinished frames the card takes: partial checksums, TCP segments longer
        than the MTU. A port that has no such frames ignores it."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class DescriptorPort(Port, Protocol):
    """A port that is nothing but its descriptor: each `writev` sends a frame, each `readv` receives
    one, behind its virtio-net header. An error is for `send` or `receive` to judge."""

    is_descriptor: Literal[True]


def scatter(frame: Buffer, parts: list[Buffer]) -> int:
    """Copy `frame` into `parts` as far as they go, as `readv` does; how many bytes went."""
    view, done = memoryview(frame), 0
    for part in parts:
        if done >= len(view):
            break
        piece = view[done : done + len(part)]
        memoryview(part)[: len(piece)] = piece
        done += len(piece)
    return done
