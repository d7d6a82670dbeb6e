"""Stand-ins that keep every call, for tests of what commands ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nitro import config
from nitro.errors import NitroError
from nitro.progress import Reporter


def told(function: Callable[..., Any], *args: Any, **more: Any) -> str:
    """What the call returns, or its error."""
    try:
        return repr(function(*args, **more))
    except NitroError as error:
        return f"{type(error).__name__} {error.what}" + (f"; {error.hint}" if error.hint else "")


class Log:
    """Calls by their names, with all arguments, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def of(self, name: str, answer: Any = None) -> Any:
        """A stand-in; `answer` is what it returns, or an error that it raises, or a function."""

        def call(*args: Any, **more: Any) -> Any:
            given = [*map(shown, args), *(f"{k}={shown(v)}" for k, v in more.items())]
            self.lines.append(f"{name}({', '.join(given)})")
            found = answer(*args, **more) if callable(answer) else answer
            if isinstance(found, BaseException):
                raise found
            return found

        return call

    def take(self) -> str:
        text = "".join(f"  > {line}\n" for line in self.lines)
        self.lines.clear()
        return text


def shown(value: Any) -> str:
    if isinstance(value, SimpleNamespace):
        return f"<{getattr(value, 'title', 'thing')}>"
    if isinstance(value, Reporter):
        return "<reporter>"
    if isinstance(value, config.Settings):
        return f"<settings {value.cloud}>"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if value is None or isinstance(value, str | int | float | Path | dict | bytes):
        return repr(value)
    return f"<{type(value).__name__}>"


@contextmanager
def _nothing_connected(*_: Any, **__: Any) -> Iterator[Any]:
    yield CONNECTION


CONNECTION = SimpleNamespace(
    title="connection",
    cloud=SimpleNamespace(title="cloud", region="eu-west-1", plan=None, account="1" * 12),
    settings=SimpleNamespace(title="settings", cloud="aws", bucket="b", subnet="s"),
    allow=("10.0.0.0/8",),
    local=None,
    keep=lambda: None,
)


def connected_of(log: Log) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        log.of("connected")(*args, **more)
        return _nothing_connected()

    return call
