from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitro import config
from nitro.errors import InputError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch):
    for name in ("CLOUD", "REGION", "PROFILE", "BUCKET", "SUBNET", "ALLOW"):
        monkeypatch.delenv(f"NITRO_{name}", raising=False)


def test_nothing_set_means_the_local_nitro(tmp_path: Path):
    settings = config.load(tmp_path)
    assert (settings.cloud, settings.origin) == ("local", "nothing set")


def test_options_beat_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "nitro.toml").write_text('cloud = "aws"\nregion = "eu-west-1"\nbucket = "b"\n')
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    assert config.load(below).cloud == "aws"
    assert config.load(below).origin == str(tmp_path / "nitro.toml")
    monkeypatch.setenv("NITRO_REGION", "eu-west-2")
    assert config.load(below).region == "eu-west-2"
    settings = config.load(below, region="eu-west-3", cloud="local")
    assert (settings.region, settings.cloud, settings.origin) == ("eu-west-3", "local", "--cloud")
    assert settings.bucket == "b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cloud = ", "nitro.toml"),
        ("cloud = " + "[" * 5000, "nitro.toml: maximum recursion depth"),
        ('colour = "red"', "unknown key 'colour'"),
        ("region = 3", "region must be a string"),
        ('cloud = "mars"', "no cloud 'mars'"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, says: str):
    (tmp_path / "nitro.toml").write_text(text)
    with pytest.raises(InputError, match=says):
        config.load(tmp_path)


@pytest.mark.parametrize(
    ("owner", "user", "sudo", "trusted"),
    [
        (1000, 1000, "", True),
        (0, 1000, "", True),
        (1001, 1000, "", False),
        (1001, 1000, "1001", False),  # anybody can set it
        (1000, 0, "", False),
        (1000, 0, "1000", True),
        (1000, 0, "1000x", False),
    ],
)
def test_a_file_of_another_user_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: int,
    user: int,
    sudo: str,
    trusted: bool,
):
    file = tmp_path / "nitro.toml"
    file.write_text('cloud = "aws"\n')
    found = os.stat_result((0o100644, 0, 0, 1, owner, 0, 14, 0, 0, 0))
    monkeypatch.setattr("os.fstat", lambda _: found)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("SUDO_UID", sudo)
    if trusted:
        assert config.load(tmp_path).file == file
    else:
        with pytest.raises(InputError, match=f"belongs to another user .uid {owner}"):
            config.load(tmp_path)
