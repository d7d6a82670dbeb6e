"""A stream socket with frames behind a four-byte length, as QEMU's `-netdev stream` speaks.

The other end takes finished frames, so checksums and segmentation are done here.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from nitro.ena.offload import PLAIN, Buffer, wire_frames
from nitro.ena.ports import scatter
from nitro.errors import NitroError

_LENGTH_SIZE = 4
_MAX_FRAME = 1 << 17
_CHUNK = 1 << 18


class StreamPort:
    """A connected stream socket, closed with the port."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._out = b""
        self._in = bytearray()
        self._frames: list[bytes] = []

    @classmethod
    def connect(cls, path: Path) -> StreamPort:
        """Connect to the socket at `path`. Raises NitroError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            raise NitroError(
                f"cannot connect to {path}: {error.strerror or error}",
                hint="start the other end first, for one QEMU with -netdev stream,server=on",
            ) from error
        return cls(connection)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        if not self._flush():
            return False
        if header == PLAIN:
            frames: list[list[Buffer]] = [parts]
        else:
            frames = [[frame] for frame in wire_frames(header, bytearray().join(parts))]
        pieces: list[Buffer] = []
        for frame in frames:
            pieces.append(sum(map(len, frame)).to_bytes(_LENGTH_SIZE, "big"))
            pieces.extend(frame)
        self._write(pieces)
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        if not self._frames and not self._read():
            return 0
        frame = self._frames.pop(0)
        header[:] = PLAIN
        return scatter(frame, parts)

    def accept(self, *, checksums: bool, segments: bool) -> None:
        """Frames are finished here anyhow."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def _flush(self) -> bool:
        """Send what is left of an earlier frame; False if some is left still."""
        if self._out:
            rest, self._out = self._out, b""
            self._write([rest])
        return not self._out

    def _write(self, pieces: list[Buffer]) -> None:
        """Send what the socket takes now and keep the rest: a frame must not be cut."""
        total = sum(map(len, pieces))
        try:
            sent = self._socket.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        if sent < total:
            self._out = b"".join(pieces)[sent:]

    def _read(self) -> bool:
        """Read what is there; True if it completes a frame."""
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._in += data
        at = 0
        while len(self._in) - at >= _LENGTH_SIZE:
            length = int.from_bytes(self._in[at : at + _LENGTH_SIZE], "big")
            if length > _MAX_FRAME:
                self._in.clear()
                self.close()
                return False
            if len(self._in) - at - _LENGTH_SIZE < length:
                break
            at += _LENGTH_SIZE + length
            self._frames.append(bytes(self._in[at - length : at]))
        del self._in[:at]
        return bool(self._frames)
