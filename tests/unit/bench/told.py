"""What a call comes to, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nitro.errors import NitroError


def told(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """What the call returns, or its error."""
    try:
        return repr(function(*args, **options))
    except NitroError as error:
        return f"{type(error).__name__} {error.what}" + (f"; {error.hint}" if error.hint else "")
