"""The blocks of a disk, written into a pending snapshot."""

from __future__ import annotations

import hashlib
import time
from array import array
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from nitro.cloud import in_flight
from nitro.cloud.disk import BLOCK_SIZE, DiskImage
from nitro.cloud.errors import ApiError
from nitro.cloud.parent import MARK, Parent
from nitro.cloud.put_block import BlockSender
from nitro.cloud.session import Cloud
from nitro.progress import Stage
from nitro.sparse import data_blocks, read_block

_ZERO_MARK = hashlib.sha256(bytes(BLOCK_SIZE)).digest()[:MARK]
_PAUSE = 1.0  # seconds between two attempts at a snapshot that is not visible yet


@dataclass(frozen=True)
class Sent:
    """How many blocks were written, and their checksum as CompleteSnapshot takes it."""

    blocks: int
    checksum: str


def send_blocks(
    cloud: Cloud,
    disk: DiskImage,
    snapshot_id: str,
    stage: Stage,
    *,
    base: Parent | None = None,
    encrypted: bool = False,
    visible_at: float = 0.0,
) -> Sent:
    """Write what the snapshot does not have yet of the disk.

    A block that an `encrypted` snapshot does not store reads as random data, so its zeros are
    written, too. Until `visible_at` (monotonic seconds) the snapshot may be unknown to EBS.
    """
    with disk.path.open("rb") as file:
        work = _Work(cloud, file, snapshot_id, base, encrypted, visible_at)
        candidates = array("Q", _candidates(file, disk, base, encrypted))
        if cloud.plan:  # one call tells as much as a thousand
            del candidates[1:]
        total = len(candidates) * BLOCK_SIZE
        ordered = _InOrder()
        results = in_flight.run(work.do, enumerate(candidates), work.window)
        with closing(work), closing(results) as done:
            for count, (number, digest, sent) in enumerate(done, start=1):
                ordered.add(number, digest if sent else b"")
                stage.progress(count * BLOCK_SIZE, total)
    return Sent(ordered.count, b64encode(ordered.sha256.digest()).decode())


def _candidates(
    file: BinaryIO, disk: DiskImage, base: Parent | None, encrypted: bool
) -> Iterator[int]:
    """Ascending indices of the blocks that may have to be written."""
    stored = base.stored if base else ()
    if encrypted:
        yield from range(disk.blocks)
        yield from sorted(index for index in stored if index >= disk.blocks)
    elif stored:
        yield from sorted({*data_blocks(file, BLOCK_SIZE), *stored})
    else:
        yield from data_blocks(file, BLOCK_SIZE)


class _InOrder:
    """The SHA-256 of digests that arrive in any order: EBS's linear aggregation."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.count = 0
        self._next = 0
        self._early: dict[int, bytes] = {}

    def add(self, number: int, digest: bytes) -> None:
        """`digest` is empty for a block that was not sent."""
        self._early[number] = digest
        while self._next in self._early:
            due = self._early.pop(self._next)
            self._next += 1
            self.count += bool(due)
            self.sha256.update(due)


class _Work:
    """What the threads do with each block; each has one in memory."""

    def __init__(
        self,
        cloud: Cloud,
        file: BinaryIO,
        snapshot_id: str,
        base: Parent | None,
        encrypted: bool,
        visible_at: float,
    ) -> None:
        self._cloud = cloud
        self._file = file
        self._snapshot_id = snapshot_id
        self._base = base
        self._encrypted = encrypted
        self._visible_at = visible_at
        self._sender = BlockSender(cloud, lambda _: self.window.congested())
        self.window = in_flight.Window()  # last: its first round begins now

    def close(self) -> None:
        self._sender.close()

    def do(self, candidate: tuple[int, int]) -> tuple[int, bytes, bool]:
        """Returns the candidate's number, its digest, and whether it was sent."""
        number, index = candidate
        block = read_block(self._file, index, BLOCK_SIZE)
        digest = hashlib.sha256(block).digest()
        differs = self._differs(index, digest[:MARK])
        if differs:
            self._put(index, block, digest)
        return number, digest, differs

    def _differs(self, index: int, mark: bytes) -> bool:
        """Whether the snapshot as it began reads otherwise than the disk here."""
        if self._base and index in self._base.stored:
            return mark != self._base.mark(index)
        return self._encrypted or mark != _ZERO_MARK

    def _put(self, index: int, block: bytes, digest: bytes) -> None:
        while True:
            try:
                return self._sender.put(self._snapshot_id, index, block, digest)
            except ApiError as error:
                if not error.absent or time.monotonic() >= self._visible_at:
                    raise
                self.window.congested()
                self._cloud.sleep(_PAUSE)
