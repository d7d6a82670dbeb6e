"""Small helpers of the parsers: numbers that are numbers, and quotes for error messages."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from nitro.errors import ProbeError

_QUOTED = 200  # characters of a tool's output that an error message shows
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def quote(text: str) -> str:
    """The end of `text` on one line: tools put what went wrong last."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[-4 * _QUOTED :]).split())
    return repr(line if len(line) <= _QUOTED else "…" + line[-_QUOTED:])


def number(text: str, what: str) -> float:
    """`text` as a plain decimal number. Raises ProbeError that names `what`."""
    if not _NUMBER.fullmatch(text):
        raise ProbeError(f"{what} is not a number: {quote(text)}")
    return float(text)


def finite(value: object, what: str) -> float:
    """A value of a JSON document as a number. Raises ProbeError that names `what`."""
    # JSON has integers that no float holds; isfinite raises OverflowError for them.
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise ProbeError(f"{what} is not a number: {quote(repr(value))}")
    if not math.isfinite(value):
        raise ProbeError(f"{what} is not a number: {value}")
    return float(value)


def json_document(
    tool: str, text: str, pairs: Callable[[list[tuple[str, Any]]], Any] = dict
) -> Any:
    """The one JSON document that a tool printed; `pairs` makes its objects.

    Raises ProbeError that says whether it is cut off, comes twice or has text around it.
    """
    decoder = json.JSONDecoder(object_pairs_hook=pairs)
    start = text.find("{")
    before = text[:start].strip() if start >= 0 else ""
    try:
        document, end = decoder.raw_decode(text, max(start, 0))
    except (ValueError, RecursionError):
        raise ProbeError(f"{tool} printed no complete JSON: {quote(text)}") from None
    after = text[end:].strip()
    if before:
        raise ProbeError(f"{tool} printed text before its JSON: {quote(before)}")
    if after.startswith("{"):
        raise ProbeError(f"{tool} printed a second JSON document: {quote(after)}")
    if after:
        raise ProbeError(f"{tool} printed text after its JSON: {quote(after)}")
    return document
