"""Stand-ins that note what they are handed, for whoever joins the parts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, Instance, InstanceType, Undo
from nitro.image import Image
from nitro.probe import ProbePlan
from nitro.progress import Reporter, Stage
from nitro.publish.release import Release
from nitro.recipe import Recipe
from tests.cloud.answers import Answering


class Handed:
    """Notes each call of what it stands in for, with all arguments."""

    def __init__(self, aws: Answering, patch: pytest.MonkeyPatch) -> None:
        self._aws, self._patch = aws, patch

    def stand_in(self, place: str, outcome: object = None) -> None:
        """For the function at `place`. `outcome` is returned, raised, or called."""
        module, _, name = place.rpartition(".")
        self._patch.setattr(sys.modules[module], name, self.of(name, outcome))

    def of(self, name: str, outcome: object = None) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            words = [shown(each) for each in given]
            words += [f"{key}={shown(each)}" for key, each in sorted(named.items())]
            self._aws.note(f"{name}({', '.join(words)})")
            if isinstance(outcome, Exception):
                raise outcome
            return outcome(*given, **named) if callable(outcome) else outcome

        return call


def shown(value: Any) -> str:
    """The value, of parts only what they are."""
    match value:
        case Cloud():
            return f"cloud of {value.region}"
        case Undo():
            return f"undo that keeps {value.keep.value}"
        case Reporter() | Stage():
            return type(value).__name__.strip("_").lower()
        case Release():
            return f"release {value.name}"
        case Recipe():
            return f"recipe {value.name}"
        case Image():
            return f"image {value.name}"
        case InstanceType():
            return f"type {value.name}"
        case Instance():
            return f"instance {value.id}"
        case ProbePlan():
            return f"plan for {value.target} of {[step.name for step in value.steps]}"
        case Path():
            return value.name
        case _ if type(value).__name__.startswith("Fake"):
            return type(value).__name__
        case _ if is_dataclass(value) and not isinstance(value, type):
            told = {one.name: getattr(value, one.name) for one in fields(value)}
            if told.get("launched") not in (None, 1000.0):  # which is now, by the test's clock
                told["launched"] = "another time"
            words = (f"{name}={shown(each)}" for name, each in told.items())
            return f"{type(value).__name__}({', '.join(words)})"
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case _ if callable(value) and not isinstance(value, type):
            return "function"
        case _ if " object at 0x" in repr(value):
            return type(value).__name__.lower()
        case _:
            return str(value) if isinstance(value, str) else repr(value)
