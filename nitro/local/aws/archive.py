"""Snapshots and images that outlive the process: one JSON file for each region.

The bytes are in the block store; a snapshot without its disk is dropped when read back.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from nitro.local.aws.images import LocalImage, Registration
from nitro.local.aws.snapshots import DiskSnapshot


def save(backend: Any) -> None:
    """Write the region's file if anything in it has changed."""
    path = _path(backend)
    if path is None:
        return
    text = json.dumps(
        {
            "snapshots": [
                {
                    "id": snapshot.id,
                    "size_gib": snapshot.volume_size,
                    "description": snapshot.description,
                    "started": snapshot.start_time.isoformat(),
                    "tags": dict(backend.tags.get(snapshot.id, {})),
                }
                for snapshot in backend.snapshots.values()
                if not snapshot.open_for_writing
            ],
            "images": [
                {
                    "id": image.id,
                    "created": image.creation_date.isoformat(),
                    "registration": image.registration.as_dict(),
                    "tags": dict(backend.tags.get(image.id, {})),
                }
                for image in backend.amis.values()
            ],
        },
        indent=1,
    )
    if text == getattr(backend, "archived", None):
        return
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    backend.archived = text


def restore(backend: Any) -> None:
    """Put what the region's file holds into the backend."""
    path = _path(backend)
    if path is None or not path.is_file():
        return
    held = json.loads(path.read_text())
    for entry in held["snapshots"]:
        if backend.site.store.exists(entry["id"]):
            snapshot = backend.add_snapshot(
                DiskSnapshot(
                    backend,
                    entry["id"],
                    size_gib=entry["size_gib"],
                    description=entry["description"],
                    started=datetime.fromisoformat(entry["started"]),
                )
            )
            snapshot.add_tags(entry["tags"])
    for entry in held["images"]:
        image = LocalImage(
            backend,
            entry["id"],
            Registration(**entry["registration"]),
            created=datetime.fromisoformat(entry["created"]),
        )
        if all(snapshot_id in backend.snapshots for snapshot_id in image.snapshot_ids):
            backend.amis[image.id] = image
            image.add_tags(entry["tags"])


def regions(index: Path) -> list[tuple[str, str]]:
    """(account, region) of each file in the folder."""
    return [(account, region) for account, _, region in map(_parts, index.glob("*.json"))]


def _parts(path: Path) -> tuple[str, str, str]:
    return path.stem.partition("-")


def _path(backend: Any) -> Path | None:
    index: Path | None = backend.site.index
    return index and index / f"{backend.account_id}-{backend.region_name}.json"
