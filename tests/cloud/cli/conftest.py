"""Commands in this process, against moto: no pauses, and stand-ins for builds and machines."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import nitro.image
import nitro.probe
from nitro.cli import options
from nitro.cloud import Cloud, DiskImage
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.cloud.conftest import REGION, blink
from tests.cloud.joint import FakeBuilder, FakeProber, small_disk

AWS = ("--cloud", "aws", "--region", REGION)


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw", "httpd")


@pytest.fixture
def builder(disk: DiskImage, monkeypatch: pytest.MonkeyPatch) -> FakeBuilder:
    """Builds what `nitro.image` would."""
    builder = FakeBuilder(disk)

    def build(recipe: Recipe, *, report: Reporter, **_: object) -> nitro.image.Image:
        return builder.prepare(recipe, report=report).build()

    monkeypatch.setattr(nitro.image, "prepare", builder.prepare, raising=False)
    monkeypatch.setattr(nitro.image, "build", build, raising=False)
    monkeypatch.setattr(nitro.image, "known", lambda name: None)
    return builder


@pytest.fixture
def prober(monkeypatch: pytest.MonkeyPatch) -> FakeProber:
    """Measures what `nitro.probe` would."""
    prober = FakeProber()
    monkeypatch.setattr(nitro.probe, "ToolProber", lambda: prober)
    return prober


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pauses, no settings of the user's own."""
    monkeypatch.setattr(Cloud, "connect", functools.partial(Cloud.connect, sleep=blink))
    monkeypatch.setattr(options, "verbose", False)
    for name in ("NITRO_CLOUD", "NITRO_REGION", "NITRO_ALLOW", "NITRO_BUCKET", "NITRO_SUBNET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
