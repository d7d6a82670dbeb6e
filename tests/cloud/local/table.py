"""A table of what functions answer: one line for each call, with its result or its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException

from nitro.local.aws.s3_parts import Refusal


def told(call: Callable[[], Any]) -> str:
    """What the call returns, or the code, the status and the message of its refusal."""
    try:
        return repr(call())
    except Refusal as error:
        return f"{error.code} ({error.status}): {error.message}; {error}"
    except ServiceException as error:
        return f"{error.code}: {error.message}"


class Table:
    """`text` has all the lines."""

    def __init__(self) -> None:
        self.text = ""

    def head(self, title: str) -> None:
        self.text += f"---- {title}\n"

    def __call__(self, function: Callable[..., Any], *args: Any, shown: str = "") -> None:
        """A line of a call; `shown` stands for arguments that are not to be read."""
        what = shown or ", ".join(map(repr, args))
        self.text += f"{what}: {told(lambda: function(*args))}\n"
