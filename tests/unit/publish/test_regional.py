"""Regions that work side by side: one stage for all, a line for what took long or failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat

import pytest

from nitro.progress import Reporter, Stage
from nitro.publish.regional import RegionReporter


class Said(Stage):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def status(self, text: str) -> None:
        self.texts.append(text)


@dataclass
class Outer(Reporter):
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


def region(outer: Outer, shared: Said) -> RegionReporter:
    return RegionReporter(region="eu-west-1", outer=outer, shared=shared)


def clock(monkeypatch: pytest.MonkeyPatch, *steps: float) -> None:
    """Seconds from each look at the clock to the next one."""
    times = accumulate(chain((0.0,), steps, repeat(0.0)))
    monkeypatch.setattr(time, "monotonic", lambda: next(times))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.9, []),
        (1.0, ["eu-west-1: write: done in 1.0 s"]),
        (62.0, ["eu-west-1: write: done in 62.0 s"]),
    ],
)
def test_what_takes_a_second_is_told(
    monkeypatch: pytest.MonkeyPatch, seconds: float, told: list[str]
) -> None:
    outer = Outer()
    clock(monkeypatch, seconds)
    with region(outer, Said()).stage("write"):
        pass
    assert outer.notes == told


def test_what_fails_is_told_however_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = Outer()
    clock(monkeypatch, 0.1)
    with pytest.raises(ValueError, match="x"), region(outer, Said()).stage("write"):
        raise ValueError("x")
    assert outer.notes == ["eu-west-1: write: failed after 0.1 s"]


def test_progress_and_status_are_those_of_the_common_stage() -> None:
    shared = Said()
    with region(Outer(), shared).stage("read back") as stage:
        stage.status("asking")
        stage.progress(3, 9, "blocks")
        stage.progress(2e6)
    assert shared.texts == [
        "eu-west-1: read back, asking",
        "eu-west-1: read back, 3 of 9 blocks",
        "eu-west-1: read back, 2.0 MB",
    ]
