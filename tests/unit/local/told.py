"""A transcript of calls: what was asked of stand-ins, in order, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nitro.debian import Wanted
from nitro.errors import NitroError


class Told:
    """Lines of a transcript; `folder` is written as FOLDER."""

    def __init__(self, folder: Path, hidden: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._hidden = {str(folder): "FOLDER", **(hidden or {})}

    def note(self, line: str) -> None:
        for text, name in self._hidden.items():
            line = line.replace(text, name)
        self.lines.append(line)

    def stand_in(
        self, name: str, answer: Callable[..., Any] = lambda *_, **__: None
    ) -> Callable[..., Any]:
        """A function that notes each call with all its arguments."""

        def call(*args: Any, **options: Any) -> Any:
            words = [shown(each) for each in args]
            words += [f"{key}={shown(value)}" for key, value in sorted(options.items())]
            self.note(f"    {name}({', '.join(words)})")
            return answer(*args, **options)

        return call

    def outcome(self, what: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Note what a function returns or raises, behind the calls that it made."""
        self.note(what)
        try:
            found = function(*args, **options)
        except Exception as error:
            what = error.what if isinstance(error, NitroError) else str(error)
            hint = f"; hint: {error.hint}" if isinstance(error, NitroError) else ""
            self.note(f"    → {type(error).__name__}: {what}{hint}")
            return None
        self.note(f"    → {shown(found)}")
        return found

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def shown(value: Any) -> str:
    """As Python writes it, the same on every run."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex()}"
    if isinstance(value, dict):
        pairs = sorted((shown(key), shown(each)) for key, each in value.items())
        return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    if isinstance(value, Wanted):
        return f"Wanted({', '.join(value.names)} of {value.suite}, {value.arch.ec2})"
    if callable(value):
        return "<function>"
    if " at 0x" in repr(value):
        return f"<{type(value).__name__}>"
    return repr(value)
