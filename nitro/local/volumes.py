"""The content of volumes: one sparse raw file each, which a machine has as a disk.

A volume's file is made when somebody first needs it, from the snapshot that the volume began as,
or empty. It goes when the volume is deleted, not when its instance is.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from nitro.local.hypervisor import Disk
from nitro.local.store import BlockStore


class VolumeFiles:
    """A folder of volumes, by their ids."""

    def __init__(self, folder: Path, store: BlockStore) -> None:
        self._folder, self._store = folder, store
        self._lock = threading.Lock()

    def path(self, volume_id: str) -> Path:
        """Where the volume's content is, once it has been made."""
        return self._folder / f"{volume_id}.raw"

    def make(self, disk: Disk) -> Path:
        """The file of the volume, made if there is none. OSError when there is no room for it."""
        path = self.path(disk.volume_id)
        with self._lock:
            if not path.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial")
                if disk.snapshot_id:
                    self._store.copy_to(disk.snapshot_id, partial, disk.size_bytes)
                else:
                    with partial.open("wb") as file:
                        file.truncate(disk.size_bytes)
                partial.replace(path)
        return path

    def grow(self, volume_id: str, size_bytes: int) -> None:
        """Give the volume's file this size, if it is smaller and has been made."""
        with self._lock:
            path = self.path(volume_id)
            if path.exists() and path.stat().st_size < size_bytes:
                os.truncate(path, size_bytes)

    def delete(self, volume_id: str) -> None:
        """Harmless when there is no file."""
        self.path(volume_id).unlink(missing_ok=True)
