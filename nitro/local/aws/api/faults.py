"""Whose fault an exception is: moto's own checks of input end with Python's errors at times."""

from __future__ import annotations

import traceback
from pathlib import Path
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

import moto

_MOTO = str(Path(moto.__file__).parent)
_OF_INPUT = (AttributeError, LookupError, TypeError, ValueError, AssertionError, OverflowError)


def of_input(error: Exception) -> bool:
    """Whether it was raised over what a request says, by moto or by a parser under it."""
    if isinstance(error, ExpatError | ParseError):
        return True
    innermost = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, _OF_INPUT) and innermost.startswith(_MOTO)
