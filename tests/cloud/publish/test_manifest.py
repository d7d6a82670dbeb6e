"""Release manifests: written whole, read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError
from nitro.publish import manifest
from nitro.publish.execute import Outcome
from nitro.publish.publication import Publication
from nitro.publish.source import Source
from tests.cloud.publish.conftest import make_release, publish_it
from tools import schemas

pytestmark = pytest.mark.policies("publish")


@pytest.fixture
def written(account: Cloud, disk: Source, tmp_path: Path) -> Path:
    wanted = make_release(disk, via="s3", regions=["eu-central-1"])
    path = tmp_path / "release.json"
    manifest.write(path, manifest.of_publication(publish_it(wanted), account.account))
    return path


@pytest.mark.extended
def test_what_is_written_is_read(written: Path, disk: Source) -> None:
    found = manifest.read(written)
    assert found.blocks == disk.blocks
    assert found.document["digest"] == disk.disk.digest
    schemas.adapter("release").validate_python(json.loads(written.read_text()))
    assert [each.name for each in written.parent.glob("*release.json*")] == ["release.json"]


@pytest.mark.extended
def test_a_second_run_writes_the_same_manifest(account: Cloud, written: Path, disk: Source) -> None:
    before = written.read_text()
    wanted = make_release(disk, via="s3", regions=["eu-central-1"])
    manifest.write(written, manifest.of_publication(publish_it(wanted), account.account))
    assert written.read_text() == before


def test_a_manifest_that_cannot_be_written_is_one_line(account: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    path.mkdir()
    with pytest.raises(NitroError, match=r"is published, but .*web\.json could not be written"):
        manifest.write_text(path, "{}")
    assert not list(tmp_path.glob("**/*.new"))


def test_half_a_release_has_no_manifest(account: Cloud, disk: Source) -> None:
    done = publish_it(make_release(disk, via="s3", regions=["eu-central-1"]))
    half = Publication(done.plan, [*done.outcomes, Outcome("us-east-1", error=NitroError("x"))])
    with pytest.raises(NitroError, match="us-east-1 lacks the AMI"):
        manifest.of_publication(half, account.account)


def change(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    "keys",
    [
        {"schema": "nitro.release/2"},
        {"regions": []},
        {"block_size": 512},
        {"blocks": {"0": "%"}},
        {"blocks": {"first": ""}},
        {"digest": 1},
    ],
)
def test_what_is_no_manifest_is_refused(written: Path, keys: dict[str, Any]) -> None:
    change(written, **keys)
    with pytest.raises(InputError, match="manifest"):
        manifest.read(written)


@pytest.mark.extended
@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        manifest.read(path)
