"""LLQ memory that a client can map: a guest then writes its entries without leaving for QEMU."""

from __future__ import annotations

import mmap
import os


class LlqMemory:
    """`size` bytes, seen by the card as `view`, by the client through `descriptor`."""

    def __init__(self, size: int) -> None:
        self.descriptor = os.memfd_create("llq")
        try:
            os.ftruncate(self.descriptor, size)
            self.view = memoryview(mmap.mmap(self.descriptor, size))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """The view stays valid, and what a client has mapped."""
        os.close(self.descriptor)
