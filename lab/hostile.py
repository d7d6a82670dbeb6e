"""A guest that misbehaves, without a guest: a client of the card that writes what it likes.

    python -m lab.hostile SOCKET SECONDS

Its memory holds noise, but for admin commands that make queues now and then, so that the doorbells
that follow lead somewhere. It writes as fast as the card reads.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import time

from nitro.ena.constants import DIRECTION_RX, DIRECTION_TX, RX_DOORBELLS, TX_DOORBELLS, UNMASK, Reg
from nitro.ena.vfio.messages import DMA_MAP, HEADER, HEADER_SIZE, NO_REPLY, REGION_ACCESS, Command

BASE, SIZE = 0x100000, 1 << 20
_BAR0, _CONFIG = 0, 7


class Hostile:
    """`card` is the connected socket. Frames that it sends are noise, too."""

    def __init__(self, card: socket.socket, seed: int) -> None:
        self._card, self._random = card, random.Random(seed)
        self._file = os.memfd_create("noise")
        os.ftruncate(self._file, SIZE)
        mapping = DMA_MAP.pack(DMA_MAP.size, 3, 0, BASE, SIZE)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", self._file))]
        card.sendmsg([_message(Command.DMA_MAP, mapping)], rights)
        card.recv(HEADER_SIZE)
        self._writes = bytearray()
        self._write(_CONFIG, 4, 6)

    def annoy(self) -> None:
        """A reset, admin rings with some commands, and hundreds of writes."""
        draw = self._random
        os.pwrite(self._file, draw.randbytes(SIZE), 0)
        for value in (0, 1, 0):
            self._write(_BAR0, Reg.DEV_CTL, value)
        for register, at in ((Reg.AQ_BASE_LO, 0), (Reg.ACQ_BASE_LO, 1), (Reg.AENQ_BASE_LO, 2)):
            self._write(_BAR0, register, BASE + 0x1000 * at)
            self._write(_BAR0, register + 4, 0)
        for register in (Reg.AQ_CAPS, Reg.ACQ_CAPS, Reg.AENQ_CAPS):
            self._write(_BAR0, register, 16 | 64 << 16)
        commands = [
            *self._queue(0, DIRECTION_TX, 2),
            *self._queue(1, DIRECTION_RX, 4),
            draw.randbytes(60),
        ]
        for slot, body in enumerate(commands):
            opcode = (3, 1)[slot & 1] if slot < 4 else draw.randrange(16)
            os.pwrite(self._file, struct.pack("<HBB", slot, opcode, 1) + body, 64 * slot)
        self._write(_BAR0, Reg.AQ_DB, len(commands))
        self._send()
        for _ in range(500):
            base = draw.choice((TX_DOORBELLS, RX_DOORBELLS, UNMASK, 0))
            self._write(_BAR0, base + 4 * draw.randrange(0x20), draw.getrandbits(32))
        self._send()

    def _send(self) -> None:
        """What was written goes to the card, which has read it when it answers."""
        self._writes += _message(Command.GET_INFO, bytes(16))
        self._card.sendall(self._writes)
        self._writes.clear()
        self._card.recv(4096)

    def _queue(self, index: int, direction: int, words: int) -> list[bytes]:
        """The commands for a completion queue and its submission queue."""
        depth, ring = 1 << self._random.randrange(1, 10), BASE + 0x10000 * (1 + index)
        completion = struct.pack("<BBHIQ", 0, words, depth, 0xFFFFFFFF, ring)
        submission = struct.pack(
            "<BxBBHHQ", direction << 5, 1, 1, index, depth, ring + 0x8000 & ~0xFFF
        )
        return [completion.ljust(60, b"\0"), submission.ljust(60, b"\0")]

    def _write(self, region: int, offset: int, value: int) -> None:
        access = REGION_ACCESS.pack(offset, region, 4) + struct.pack("<I", value)
        self._writes += _message(Command.REGION_WRITE, access, NO_REPLY)


def _message(command: Command, payload: bytes, flags: int = 0) -> bytes:
    return HEADER.pack(1, command, HEADER_SIZE + len(payload), flags, 0) + payload


def main() -> None:
    path, seconds = sys.argv[1], float(sys.argv[2])
    with socket.socket(socket.AF_UNIX) as card:
        card.connect(path)
        hostile = Hostile(card, seed=1)
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            hostile.annoy()
            rounds += 1
        card.sendall(b"\xff" * 64)  # and no vfio-user in the end
    print(f"{rounds} rounds")


if __name__ == "__main__":
    main()
