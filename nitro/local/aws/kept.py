"""Files of what outlives the process: a JSON document for each region, in a folder of its kind."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nitro.replacing import replacing

_log = logging.getLogger(__name__)


def path_of(backend: Any, folder: str = "") -> Path | None:
    """None where nothing is kept."""
    index: Path | None = backend.site.index
    return index and index / folder / f"{backend.account_id}-{backend.region_name}.json"


def write(backend: Any, path: Path | None, held: Any, *, at_first: str = "") -> None:
    """Write the document if it differs from what was written last; `at_first` needs no file."""
    if path is None:
        return
    text = json.dumps(held, indent=1)
    if text == getattr(backend, "archived", at_first):
        return
    try:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as fresh:
            fresh.write_text(text)
    except OSError:  # a full disk is no reason to fail every call; the next one tries again
        _log.exception("%s cannot be written", path)
    else:
        backend.archived = text


def read(path: Path | None, needed: Collection[str] = ()) -> dict[str, Any]:
    """The document, an object with the `needed` keys; {} without a file.

    What is none is put aside, as `.broken`, for the next one not to overwrite it, and logged.
    """
    if path is None or not path.is_file():
        return {}
    try:
        held = json.loads(path.read_text())
        if isinstance(held, dict) and held.keys() >= set(needed):
            return held
        raise ValueError("it is no object, or lacks what it should have")
    except (ValueError, RecursionError):
        _log.exception("%s cannot be read", path)
        path.replace(path.with_suffix(".broken"))
        return {}
