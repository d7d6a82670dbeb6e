"""A number as JSON has it."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Better = Literal["more", "less"]


class MetricDocument(TypedDict):
    """One number."""

    value: float
    unit: str
    """`bit/s`, `s`, `%`, or what is counted: `requests/s`, `segments`."""
    better: Better | None
    """Whether more or less of it is better; null: neither."""
