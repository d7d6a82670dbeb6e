"""Records of what outlives the process, each damaged in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_WRONG: tuple[Any, ...] = (None, 5, "x", [1], [[]], {}, {"x": 5})


def damaged(record: dict[str, Any], *, but: str = "id") -> Iterator[Any]:
    """The record without one of its parts, with a wrong one, and what is no record at all."""
    yield from _WRONG
    for name in record:
        if name != but:
            yield {other: value for other, value in record.items() if other != name}
            yield from ({**record, name: wrong} for wrong in _WRONG)
