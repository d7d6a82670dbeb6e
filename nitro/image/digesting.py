"""Writes a file from its start to its end while another thread computes its digest."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

_BLOCK = 1 << 20
_AHEAD = 4  # blocks that are written and not digested yet: more would only take memory


def write(out: BinaryIO, chunks: Iterable[bytes | bytearray]) -> str:
    """Write `chunks` one after the other; returns `sha256:…` of them all.

    A chunk must not be changed once it was handed out.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(1) as pool:  # hashing leaves Python's lock alone
        pending: deque[Future[None]] = deque()
        for block in _joined(chunks):
            pending.append(pool.submit(digest.update, block))
            out.write(block)
            if len(pending) > _AHEAD:
                pending.popleft().result()
    return f"sha256:{digest.hexdigest()}"


def _joined(chunks: Iterable[bytes | bytearray]) -> Iterator[bytes | bytearray]:
    """The same bytes, without small pieces: each is a task for the other thread."""
    small = bytearray()
    for chunk in chunks:
        if len(chunk) < _BLOCK:
            small += chunk
        if len(small) >= _BLOCK or (small and len(chunk) >= _BLOCK):
            yield small
            small = bytearray()
        if len(chunk) >= _BLOCK:
            yield chunk
    if small:
        yield small
