"""SSM parameters that outlive the process, as the images do that they name.

One JSON file for each region, in a folder beside those of the images.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.ssm.models import Parameter

FOLDER = "parameters"

_log = logging.getLogger(__name__)


def save(backend: Any) -> None:
    """Write the region's file if anything in it has changed."""
    path = _path(backend)
    if path is None:
        return
    held = {
        name: {
            "versions": [_entry(each) for each in versions],
            "tags": dict(backend.list_tags_for_resource("Parameter", name)),
        }
        for name, versions in backend._parameters.items()
        if versions and not name.startswith("/aws/")
    }
    text = json.dumps(held, indent=1)
    if text == getattr(backend, "archived", "{}"):
        return
    try:
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(path)
    except OSError:  # a full disk is no reason to fail every call; the next one tries again
        _log.exception("%s cannot be written", path)
    else:
        backend.archived = text


def restore(backend: Any) -> None:
    """Put what the region's file holds into the backend; what cannot be read is left out."""
    path = _path(backend)
    if path is None or not path.is_file():
        return
    try:
        held = json.loads(path.read_text()).items()
    except (ValueError, RecursionError, AttributeError):
        _log.exception("%s cannot be read", path)
        path.replace(path.with_suffix(".broken"))
        return
    for name, entry in held:
        try:
            versions = [_parameter(each) for each in entry["versions"]]
            tags = dict(entry["tags"])
        except (AttributeError, KeyError, TypeError, ValueError):
            _log.exception("%s: the parameter %s is left out", path, name)
        else:
            backend._parameters[name].extend(versions)
            backend.add_tags_to_resource("Parameter", name, tags)


def _entry(parameter: Any) -> dict[str, Any]:
    return {**vars(parameter), "last_modified_date": parameter.last_modified_date.isoformat()}


def _parameter(entry: dict[str, Any]) -> Any:
    given = {**entry, "last_modified_date": datetime.fromisoformat(entry["last_modified_date"])}
    parameter = Parameter(**given)
    parameter.value = entry["value"]  # which the constructor encrypts once more
    return parameter


def _path(backend: Any) -> Path | None:
    index: Path | None = backend.site.index
    return index and index / FOLDER / f"{backend.account_id}-{backend.region_name}.json"
