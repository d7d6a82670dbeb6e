"""What a night asks for, as text, and stand-ins for what it asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import Any

from nitro.bench.plan import Plan
from nitro.bench.store import FolderStore
from nitro.cloud import InstanceType, Undo
from nitro.progress import Reporter
from tests.stand_ins import Log

NIGHT = date(2026, 11, 26)
REGION = "eu-west-1"
PLAN: dict[str, Any] = {
    "name": "p",
    "seconds": 2,
    "repetitions": 1,
    "warm_up": 0,
    "matrix": {"types": ["c5.large"], "drivers": ["nitro", "kernel"]},
    "test": [{"protocol": "http"}],
}
KIND = InstanceType("c5.large", 2, 4096, ("x86_64",), ("uefi",), "required", "nitro", False, "")


def new_log() -> Log:
    return Log(shown)


def shown(value: Any) -> str:
    """A value in short: of a record, what differs from its defaults."""
    if isinstance(value, Reporter):
        return "<reporter>"
    if isinstance(value, Plan):
        return f"<plan {value.name}>"
    if isinstance(value, Undo):
        return f"<undo {value.keep.value} {value.title}>"
    if isinstance(value, FolderStore):
        return "<store>"
    if isinstance(value, InstanceType):
        return value.name
    if isinstance(value, SimpleNamespace):
        return f"<{getattr(value, 'title', 'thing')}>"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {shown(v)}' for k, v in value.items())}}}"
    if is_dataclass(value) and not isinstance(value, type | FakeCloud):
        given = ((one.name, getattr(value, one.name), one.default) for one in fields(value))
        said = (f"{n}={shown(v)}" for n, v, d in given if v != d and n != "launched")
        return f"{type(value).__name__}({', '.join(said)})"
    return "<function>" if callable(value) else repr(value)


@dataclass
class FakeCloud:
    """A connection to a region."""

    region: str
    ec2: Any = None
    batch: Any = None
    endpoint_url: str | None = None
    sleep: Callable[[float], None] = lambda _: None

    def in_region(self, name: str) -> FakeCloud:
        return self if name == self.region else replace(self, region=name)

    def __repr__(self) -> str:
        return f"<cloud {self.region}>"


def cloud_of(region: str = REGION, **more: Any) -> Any:
    return FakeCloud(region, **more)


def plan(**more: Any) -> Plan:
    return Plan.model_validate({**PLAN, **more})
