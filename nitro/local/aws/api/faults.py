"""Whose fault an exception is: moto's own checks of input end with Python's errors at times."""

from __future__ import annotations

import sysconfig
import traceback
from importlib.util import find_spec
from pathlib import Path
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

import moto

_MOTO = str(Path(moto.__file__).parent)
_PACKAGES = sysconfig.get_path("purelib")
_PYTHON = sysconfig.get_path("stdlib")
_XML = getattr(find_spec("xmltodict"), "origin", None)  # which refuses entities
_OF_INPUT = (AttributeError, LookupError, TypeError, ValueError, AssertionError, OverflowError)


def of_input(error: Exception) -> bool:
    """Whether it was raised over what a request says, by moto or by a decoder under it."""
    if isinstance(error, ExpatError | ParseError):
        return True
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    while files and _is_decoder_s(files[-1]):
        files.pop()
    return isinstance(error, _OF_INPUT) and bool(files) and files[-1].startswith(_MOTO)


def _is_decoder_s(file: str) -> bool:
    """Of Python's base64, json and the like, or of the reader of XML."""
    if file == _XML or file.endswith("pyexpat.c"):
        return True
    return file.startswith(_PYTHON) and not file.startswith((_PACKAGES, _MOTO))
