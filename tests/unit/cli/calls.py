"""What commands ask for, as text, and stand-ins for what they ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nitro import config
from nitro.progress import Reporter
from tests.stand_ins import Log


def new_log() -> Log:
    return Log(shown)


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
