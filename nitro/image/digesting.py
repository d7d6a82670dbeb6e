"""Writes a file from its start to its end while another thread computes its digest."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

_BATCH = 1 << 20  # bytes, at least, that are one task for the other thread
# Of smaller chunks, too many would be waiting for Python's lock; larger ones are not worth a copy.
_SMALL = 64 << 10
_AHEAD = 4  # batches that are written and not digested yet: more would only take memory

_Chunk = bytes | bytearray


def write(out: BinaryIO, chunks: Iterable[_Chunk]) -> str:
    """Write `chunks` one after the other; returns `sha256:…` of them all.

    A chunk must not be changed once it was handed out.
    """
    digest = hashlib.sha256()

    def update(batch: Sequence[_Chunk]) -> None:
        for chunk in batch:
            digest.update(chunk)

    with ThreadPoolExecutor(1) as pool:  # hashing leaves Python's lock alone
        pending: deque[Future[None]] = deque()
        for batch in _batches(chunks):
            pending.append(pool.submit(update, batch))
            out.writelines(batch)
            if len(pending) > _AHEAD:
                pending.popleft().result()
    return f"sha256:{digest.hexdigest()}"


def _batches(chunks: Iterable[_Chunk]) -> Iterator[list[_Chunk]]:
    """The same bytes, with small chunks joined."""
    batch: list[_Chunk] = []
    small, size = bytearray(), 0
    for chunk in chunks:
        size += len(chunk)
        if len(chunk) < _SMALL:
            small += chunk
        else:
            batch += [small, chunk] if small else [chunk]
            small = bytearray()
        if size >= _BATCH:
            yield [*batch, small]
            batch, small, size = [], bytearray(), 0
    yield [*batch, small]
