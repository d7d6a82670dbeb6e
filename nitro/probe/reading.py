"""Small helpers of the parsers: numbers that are numbers, and quotes for error messages."""

from __future__ import annotations

import math
import re

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
