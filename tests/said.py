"""What calls return or raise, a line each: for transcripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nitro.errors import NitroError


class Said:
    """Its text has no path of the folder that the tests work in."""

    def __init__(self, folder: Path = Path("/nowhere")) -> None:
        self._folder = folder
        self.text = ""

    def __call__(self, name: str, call: Callable[..., object]) -> None:
        """Add what the call, which takes no arguments, gives."""
        try:
            found = str(call())
        except NitroError as error:
            found = _words(error)
        except ValueError as error:
            found = f"{type(error).__name__}: {error}"
        line = f"{name}: {found}\n".replace(f"{self._folder}/", "")
        self.text += line.replace(str(self._folder), ".")


def told(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """What the call returns, or its error, in one line."""
    try:
        return repr(call(*args, **options))
    except NitroError as error:
        return f"{type(error).__name__} {error.what}" + (f"; {error.hint}" if error.hint else "")


def error_text(error: NitroError, folder: Path | str = "/nowhere") -> str:
    """What an error says, without the path of the folder that the tests work in."""
    return f"  {_words(error)}\n".replace(f"{folder}/", "").replace(str(folder), ".")


def _words(error: NitroError) -> str:
    return f"{type(error).__name__}: {error.what}\n    {error.hint}"
