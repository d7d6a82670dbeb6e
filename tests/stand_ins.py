"""Stand-ins that keep every call, or refuse it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Log:
    """Calls by their names, with all arguments as `shown` writes them, in order."""

    shown: Callable[[Any], str]
    lines: list[str] = field(default_factory=list)

    def of(self, name: str, answer: Any = None) -> Any:
        """A stand-in; `answer` is what it returns, or an error that it raises, or a function."""

        def call(*args: Any, **options: Any) -> Any:
            said = [*map(self.shown, args), *(f"{k}={self.shown(v)}" for k, v in options.items())]
            self.lines.append(f"{name}({', '.join(said)})")
            found = answer(*args, **options) if callable(answer) else answer
            if isinstance(found, BaseException):
                raise found
            return found

        return call

    def take(self) -> str:
        text = "".join(f"  > {line}\n" for line in self.lines)
        self.lines.clear()
        return text


def refuse(number: int) -> Callable[..., Any]:
    """What raises the OSError of this number, whatever it is asked."""

    def answer(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return answer
