"""From settings and a disk to what each region is to have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import DiskImage, tags
from nitro.errors import InputError
from nitro.publish import release
from nitro.publish.settings import Settings
from nitro.publish.source import Provenance, Source

DIGEST = f"sha256:{'ab' * 32}"


def made(*, description: str = "", **keys: Any) -> release.Release:
    disk = DiskImage(
        Path("disk.raw"),
        DIGEST,
        1000,
        "web",
        boot_mode="uefi",
        description=description,
        tags={"team": "kernel"},
    )
    source = Source(disk, {0: b""}, (0, 0, 0), Provenance("0123abc", "0.1.0", "f" * 64))
    return release.make(Settings.model_validate({"regions": ["eu-central-1"], **keys}), source)


def test_the_name_has_the_version_where_there_is_one() -> None:
    assert made().name == "web-x86_64-abababababab"
    assert made(version="7").name == "web-7-x86_64-abababababab"
    assert made(ami_name="{recipe} ({arch})").name == "web (x86_64)"
    assert made(parameter="/a/{recipe}").parameter == "/a/web"


def test_tags_say_where_the_disk_comes_from() -> None:
    found = made(version="7", tags={"stack": "blue"}).tag_map
    assert found == {
        "team": "kernel",
        "stack": "blue",
        "Name": "web",
        tags.OWNER: "nitro",
        tags.DIGEST: DIGEST,
        tags.RELEASE: "web-7-x86_64-abababababab",
        tags.VERSION: "7",
        tags.REVISION: "0123abc",
        tags.BUILDER: "0.1.0",
        tags.BILL: "f" * 64,
        tags.STAGE: "published",
    }


def test_a_snapshot_gets_the_digest_last() -> None:
    wanted = made()
    assert tags.DIGEST not in wanted.unproven_tags
    assert wanted.unfinished_tags[tags.STAGE] == "unfinished"
    assert wanted.disk.tags == wanted.unproven_tags


def test_tokens_are_the_same_in_every_run_and_differ_by_what_they_are_for() -> None:
    assert made().token("copy", "a") == made().token("copy", "a")
    others = {made().token("copy", "b"), made(version="2").token("copy", "a")}
    assert made().token("copy", "a") not in others
    assert len(made().token("copy")) == 64, "EBS direct takes as many characters"


def test_deprecation_counts_from_the_creation_and_to_the_minute() -> None:
    created = datetime(2026, 1, 1, 12, 30, 59, tzinfo=UTC)
    assert made(deprecate="10d").deprecated_at(created) == datetime(2026, 1, 11, 12, 30, tzinfo=UTC)
    assert made(deprecate="2030-01-01").deprecated_at(created) == datetime(2030, 1, 1, tzinfo=UTC)
    assert made().deprecated_at(created) is None


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"regions": []}, "no region"),
        ({"ami_name": "{recipe}-{date}"}, "unknown field {date}"),
        ({"ami_name": "{recipe}-{version}"}, "no version is given"),
        ({"ami_name": "a"}, "not one that EC2 takes"),
        ({"ami_name": "web*"}, "not one that EC2 takes"),
        ({"parameter": "a b"}, "not the name of an SSM parameter"),
        ({"parameter": "/aws/images"}, "begin with aws or ssm"),
        ({"parameter": "SSMimages"}, "begin with aws or ssm"),
        ({"parameter": "/a" * 16}, "more than 15 levels"),
        ({"parameter": "/a" * 16 + "/"}, "not the name of an SSM parameter"),
        ({"tags": {"aws:x": "y"}}, "which AWS reserves"),
        ({"tags": {f"k{n}": "v" for n in range(50)}}, "AWS allows 50"),
        ({"description": "café"}, "the description of web contains 'é'"),
    ],
)
def test_what_makes_no_release_is_named(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as refused:
        made(**keys)
    assert named in str(refused.value)


def test_a_parameter_of_the_most_levels_and_a_name_of_the_most_characters_are_taken() -> None:
    assert made(parameter="/a" * 15).parameter == "/a" * 15
    assert made(ami_name="a" * 128).name == "a" * 128
    with pytest.raises(InputError, match="not one that EC2 takes"):
        made(ami_name="a" * 129)
