"""What a local Nitro that does not run has, by its files: no instance, and what outlives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

#: in a region's file (`aws.archive`): what `nitro ls` would list
_LISTED = ("snapshots", "images")


def anything(folder: Path) -> bool:
    """Whether there is a snapshot, an image or a bucket."""
    return any(True for _ in _documents(folder))


def may_hold(folder: Path, name: str) -> bool:
    """Whether something may have this id, or belong to this deployment.

    Ids and tags are in the files as they are, and so is a key, of the object BUCKET/KEY.
    """
    sought = json.dumps(name.partition("/")[2] or name)
    return any(sought in document for document in _documents(folder))


def _documents(folder: Path) -> Iterator[str]:
    for path in (folder / "index").glob("*.json"):
        text = path.read_text(errors="replace")
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):  # what starts puts it aside
            continue
        if isinstance(held, dict) and any(held.get(kind) for kind in _LISTED):
            yield text
    for path in (folder / "index" / "buckets").rglob("*.json"):
        yield f'"{path.parent.name}" {path.read_text(errors="replace")}'
