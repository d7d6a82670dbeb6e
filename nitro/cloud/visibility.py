"""New resources, which AWS may deny to know for a while.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

VISIBLE_AFTER = 120.0  # seconds for which a new resource may be missing
_CREATING = ("Copy", "Create", "Import", "Register", "Run", "Start")
_REMOVING = ("Delete", "Deregister", "Terminate")
_ID = re.compile(r"(ami|eni|i|import-snap|sg|snap|vol)-[0-9a-f]{8,17}$")


class NewResources:
    """The ids that creating calls have answered with in the last two minutes."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def note(self, operation: str, params: dict[str, Any], answer: dict[str, Any]) -> None:
        """Take in what a call that succeeded has made, or removed."""
        if operation.startswith(_CREATING):
            named = set(_ids(params))
            now = time.monotonic()
            self._since.update(dict.fromkeys(set(_ids(answer)) - named, now))
        elif operation.startswith(_REMOVING):
            for each in _ids(params):
                self._since.pop(each, None)

    def concern(self, params: dict[str, Any]) -> bool:
        """Whether a call names a new resource: that it does not exist is not to be believed."""
        oldest = time.monotonic() - VISIBLE_AFTER
        return any(self._since.get(each, float("-inf")) >= oldest for each in _ids(params))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "ResponseMetadata":
                yield from _ids(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _ids(inner)
    elif isinstance(value, str) and _ID.match(value):
        yield value
