"""The library's functions, called with addresses of the structures in `state.py`."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_int, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path
from typing import Any

from nitro.ena.native import build
from nitro.errors import InputError

VARIABLE = "NITRO_ENA_LOOP"
CHOICES = ("auto", "native", "python")


class End(IntEnum):
    """How a call of `receive` ended (`enum loop_end` in rx.c)."""

    DONE = 0
    NO_BUFFERS = 1
    FRAME = 2
    WATCH = 3
    PORT = 4


class Found(IntFlag):
    """What `ask` found (ask.c)."""

    CLIENT = 1
    OTHERS = 2
    CROWDED = 4


class Loop:
    """A loaded library."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self.transmit = _function(library.loop_transmit, None, c_void_p, c_int)
        self.fetch = _function(library.loop_fetch, c_int, c_void_p, c_uint64, c_uint64)
        self.receive = _function(
            library.loop_receive, c_int, c_void_p, c_void_p, c_int, c_uint64, c_uint64
        )
        self.remember = _function(
            library.loop_remember,
            *(None, c_void_p, ctypes.c_char_p, c_uint64),
            *(c_uint32, c_uint32, c_uint64),
        )
        self.ask = _function(library.loop_ask, c_int, c_int, c_int, c_uint64, c_uint64)
        self.write = _function(
            library.loop_write, *(c_uint64, c_void_p, c_void_p, c_uint64, c_void_p, c_uint64)
        )


def _function(function: Any, result: Any, *arguments: Any) -> Any:
    function.restype, function.argtypes = result, arguments
    return function


def choose() -> Loop | None:
    """The loop that the environment variable NITRO_ENA_LOOP asks for; None: the model alone.

    `auto`, the default, is the native one where it can be had. Raises InputError for another value,
    or for `native` where there is none.
    """
    wanted = os.environ.get(VARIABLE) or "auto"
    if wanted not in CHOICES:
        raise InputError(f"{VARIABLE} is {wanted!r}", hint="known: " + ", ".join(CHOICES))
    loop = None if wanted == "python" else load()
    if wanted == "native" and loop is None:
        raise InputError("the card's native loop cannot be built", hint="install a C compiler")
    return loop


@cache
def load() -> Loop | None:
    """The loop of this machine; None where it cannot be built or loaded."""
    path = build.library()
    try:
        return Loop(path) if path else None
    except OSError:  # such as a cache from which nothing may be executed
        return None
