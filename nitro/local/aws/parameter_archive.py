"""SSM parameters that outlive the process, as the images do that they name.

One JSON file for each region, in a folder beside those of the images.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from moto.ssm.models import Parameter

from nitro.local.aws import kept

FOLDER = "parameters"

_log = logging.getLogger(__name__)


def save(backend: Any) -> None:
    """Write the region's file if anything in it has changed."""
    path = kept.path_of(backend, FOLDER)
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
    kept.write(backend, path, held, at_first="{}")


def restore(backend: Any) -> None:
    """Put what the region's file holds into the backend; what cannot be read is left out."""
    path = kept.path_of(backend, FOLDER)
    for name, entry in kept.read(path).items():
        try:
            backend._parameters[name].extend(_parameter(each) for each in entry["versions"])
            backend.add_tags_to_resource("Parameter", name, dict(entry["tags"]))
        except (AttributeError, LookupError, TypeError, ValueError):
            _log.exception("%s: the parameter %s is left out", path, name)
            backend._parameters.pop(name, None)


def _entry(parameter: Any) -> dict[str, Any]:
    return {**vars(parameter), "last_modified_date": parameter.last_modified_date.isoformat()}


def _parameter(entry: dict[str, Any]) -> Any:
    given = {**entry, "last_modified_date": datetime.fromisoformat(entry["last_modified_date"])}
    parameter = Parameter(**given)
    parameter.value = entry["value"]  # which the constructor encrypts once more
    return parameter
