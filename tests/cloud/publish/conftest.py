"""A release of a small disk in three regions, and the account that it is published in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.progress import Reporter, Stage
from nitro.publish import release, settings, source
from nitro.publish.publication import Publication, publish
from nitro.publish.release import Release
from nitro.publish.source import Provenance, Source
from tests.cloud.conftest import connect
from tests.cloud.policed import make_role

REGIONS = ("eu-central-1", "us-east-1", "ap-southeast-2")
FRIEND = "210987654321"
PARAMETER = "/images/bench"
PROVENANCE = Provenance("0123abc", "0.1.0", "f" * 64)


def make_source(folder: Path, *, name: str = "bench", content: bytes = b"bench") -> Source:
    """A disk of three blocks, one of which is a hole."""
    path = folder / f"{name}-{content.hex()[:16]}.raw"
    with path.open("wb") as file:
        file.write(content * 1000)
        file.seek(2 * source.BLOCK_SIZE)
        file.write(content * 10)
    made = source.of_raw_disk(
        path,
        name=name,
        architecture="x86_64",
        boot_mode="uefi",
        stage=Stage(),
    )
    return replace(made, provenance=PROVENANCE)


def make_release(disk: Source, **keys: Any) -> Release:
    given = {"regions": REGIONS, "version": "1", "parameter": PARAMETER, **keys}
    return release.make(settings.Settings.model_validate(given), disk)


@pytest.fixture
def disk(tmp_path: Path) -> Source:
    return make_source(tmp_path)


@pytest.fixture
def account(bare_cloud: Cloud) -> Cloud:
    """Whoever may do everything, in an account with the role that VM Import needs."""
    make_role(bare_cloud)
    return bare_cloud


def publish_it(
    wanted: Release, cloud: Cloud | None = None, report: Reporter | None = None
) -> Publication:
    return publish(cloud or connect(), wanted, report or Reporter())
