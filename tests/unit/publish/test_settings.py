"""publish.toml: what it may say, and what flags override."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.publish.settings import load

FULL = """
regions = ["eu-central-1", "us-east-1", "eu-central-1"]
ami_name = "{recipe}-{version}"
version = "1.2"
via = "ebs"
parameter = "/images/{recipe}"
kms_key = "alias/images"
deprecate = "90d"
protect = true
keep = 5
kms_keys = { us-east-1 = "alias/other" }
tags = { team = "kernel" }
[share]
accounts = ["210987654321"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "publish.toml"
    path.write_text(text)
    return path


def test_the_file_says_all_that_a_release_needs(tmp_path: Path) -> None:
    found = load(written(tmp_path, FULL))
    assert found.regions == ("eu-central-1", "us-east-1"), "a region named twice is one"
    assert (found.key_for("us-east-1"), found.key_for("eu-central-1")) == (
        "alias/other",
        "alias/images",
    )
    assert found.deprecate == timedelta(days=90)
    assert (found.keep, found.protect, found.share.accounts) == (5, True, ("210987654321",))


def test_flags_override_the_file_key_by_key(tmp_path: Path) -> None:
    found = load(
        written(tmp_path, FULL), version="2", keep=None, share={"public": True, "accounts": []}
    )
    assert (found.version, found.keep) == ("2", 5)
    assert (found.share.public, found.share.accounts) == (True, ("210987654321",))


@pytest.mark.parametrize("text", ["2027-06-30", "2027-06-30T00:00:00+00:00"])
def test_a_date_without_a_zone_is_utc(text: str) -> None:
    assert load(None, deprecate=text).deprecate == datetime(2027, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("regions = [", "TOML"),
        ('region = "eu-central-1"', "unknown key 'region'"),
        ('regions = ["Frankfurt"]', "regions.0: 'Frankfurt' is not a region, such as eu-west-1"),
        ('kms_keys = { here = "x" }', "kms_keys.here: 'here' is not a region"),
        ('ami_name = ""', "ami_name: has nothing in it"),
        ('version = "a b"', "'a b' is not a version of letters, digits"),
        ('[share]\naccounts = ["1"]', "'1' is not the number of an account"),
        ('[share]\norganizations = ["o"]', "'o' is not the ARN of an organization"),
        ('[share]\nunits = ["u"]', "'u' is not the ARN of an organizational unit"),
        ('via = "ftp"', "via"),
        ("keep = 0", "keep"),
        ("keep = true", "keep"),  # not one release
        ("keep = 5.0", "keep"),
        ('uplink = "1000"', "uplink"),
        ('deprecate = "soon"', "90d"),
        ('deprecate = "0d"', "90d"),
        ('deprecate = "4000d"', "3650 days"),
        ("deprecate = 2999-01-01", "3650 days"),
        ('deprecate = "800d"\n[share]\npublic = true', "public AMI"),
        ('[share]\naccounts = ["me"]', "share.accounts.0"),
        ('[share]\nfriends = ["1"]', "unknown key 'share.friends'"),
        ('kms_keys = { us-east-1 = "k" }', "not among regions"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError) as refused:
        load(written(tmp_path, text))
    assert named in str(refused.value)
    assert "publish.toml" in refused.value.what


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")


@given(st.text(max_size=60))
def test_any_text_is_settings_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, errors="replace")
    with contextlib.suppress(InputError):
        load(path)
