"""Coverage's tracer, on only where nitro's code runs.

Before Python 3.12 a tracer slows every line of every file down, whether the file is measured or
not. So it is off while pytest collects and reports, and on in tests, in fixtures and in modules of
nitro's and of the tests' that are imported; library code can have it off there, too
(tests/cloud/untraced.py). Threads that a test starts have a tracer of their own.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

# The tracer of each thread in which it is off.
_off = threading.local()


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, during which the thread's tracer is off."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        tracer = sys.gettrace()
        if tracer is None:
            return function(*arguments, **options)
        before, _off.tracer = getattr(_off, "tracer", None), tracer
        sys.settrace(None)
        try:
            return function(*arguments, **options)
        finally:
            _off.tracer = before
            sys.settrace(tracer)

    return call


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, during which the thread's tracer is on, if there is one."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        tracer = getattr(_off, "tracer", None)
        if tracer is None or sys.gettrace():
            return function(*arguments, **options)
        sys.settrace(tracer)
        try:
            return function(*arguments, **options)
        finally:
            sys.settrace(None)

    return call


def trace_nitro_only() -> None:
    """From now on, in this thread and process."""
    if (tracer := sys.gettrace()) is None:
        return
    _off.tracer = tracer
    sys.settrace(None)
    for owner, name in (
        (pytest.Function, "runtest"),
        (pytest.FixtureDef, "execute"),
        (pytest.FixtureDef, "finish"),
        (AssertionRewritingHook, "exec_module"),
    ):
        setattr(owner, name, traced(getattr(owner, name)))
    execute = SourceFileLoader.exec_module

    def exec_module(loader: SourceFileLoader, module: ModuleType) -> None:
        ours = module.__name__.partition(".")[0] == "nitro"
        (traced if ours else untraced)(execute)(loader, module)

    SourceFileLoader.exec_module = exec_module  # type: ignore[method-assign, assignment]
