"""What a service model says of a value beside its type: its length, range, pattern and choices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from botocore.model import Shape, StructureShape

_SHOWN = 20  # choices that a message lists


def violation(shape: Shape, value: Any) -> str | None:
    """Why the model refuses the value, in words; None when it takes it."""
    limits = shape.metadata
    choices = limits.get("enum")
    if choices and value not in choices:
        return f"Allowed values: {', '.join(choices[:_SHOWN])}"
    size = len(value) if isinstance(value, Sized) else value
    least, most = limits.get("min"), limits.get("max")
    if isinstance(size, int | float) and not isinstance(size, bool):
        if least is not None and size < least:
            return f"The least is {least}."
        if most is not None and size > most:
            return f"The most is {most}."
    pattern = limits.get("pattern")
    if pattern and isinstance(value, str) and not _matches(pattern, value):
        return f"It must match {pattern}"
    return None


def violations(shape: StructureShape, values: Mapping[str, Any]) -> Iterator[str]:
    """One line for each parameter of a request that is missing or that the model refuses."""
    for name in shape.required_members:
        if values.get(name) is None:
            yield f"{name} is missing"
    for name, value in values.items():
        if name in shape.members and (reason := violation(shape.members[name], value)):
            yield f"{name}: {reason}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # some patterns of the models are Java's
        return True
