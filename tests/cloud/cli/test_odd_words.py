"""Words on the command line that are no paths, no text, no regions: one line and code 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitro.cloud import Cloud
from tests.cloud.cli.conftest import AWS
from tests.unit.cli.runner import nitro_

LONG = "x" * 5000


@pytest.fixture(autouse=True)
def _odd_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")


@pytest.mark.parametrize(
    "words",
    [
        ("build", LONG),
        ("init", LONG),
        ("inspect", LONG),
        ("rollback", LONG, *AWS[:2]),
        ("verify", LONG, *AWS[:2]),
        ("publish", f"{LONG}.raw", *AWS[:2]),
        ("device", "explain", LONG),
        ("kernel", "add", "name", LONG),
        ("bench", "run", LONG, *AWS),
    ],
)
def test_a_name_that_no_file_can_have(words: tuple[str, ...], cloud: Cloud) -> None:
    assert "File name too long" in nitro_(*words, code=2).stderr


@pytest.mark.parametrize("file", ["fifo", "/dev/zero", "."])
@pytest.mark.parametrize(
    "words",
    [
        ("bench", "run", "{}", *AWS),
        ("verify", "{}", *AWS[:2]),
        ("publish", "web.raw", "--config", "{}", *AWS[:2]),
        ("device", "explain", "{}"),
        ("kernel", "add", "name", "{}"),
        ("inspect", "{}"),
        ("build", "./{}"),
    ],
)
def test_what_is_no_regular_file_is_not_waited_for(
    words: tuple[str, ...], file: str, cloud: Cloud
) -> None:
    nitro_(*(word.replace("./{}" if file[0] == "/" else "{}", file) for word in words), code=2)


@pytest.mark.parametrize(
    "words", [("logs", "\udcff"), ("probe", "i-\udcff"), ("destroy", "\udcff")]
)
def test_bytes_that_are_no_text(words: tuple[str, ...], cloud: Cloud) -> None:
    assert "Traceback" not in nitro_(*words, *AWS, code=2).stderr


@pytest.mark.parametrize("region", ["1e999", "2026-13-01", "mars", "eu-central", "us-east-1 "])
def test_a_name_that_no_region_has(region: str, cloud: Cloud) -> None:
    for words in (
        ("doctor",),
        ("ls",),
        ("gc", "--plan"),
        ("deploy", "hello", "--instance", "c5.large"),
    ):
        said = nitro_(*words, "--cloud", "aws", "--region", region, code=2).stderr
        assert f"--region {region}: AWS has no such region" in said
