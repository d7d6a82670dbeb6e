"""Names of container images, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.recipe.reference import Reference, is_reference, parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("oci:app", Reference("oci", "app")),
        ("oci:./app:v1.2", Reference("oci", "./app", "v1.2")),
        ("docker-archive:/x/app.tar", Reference("docker-archive", "/x/app.tar")),
        ("docker-archive:a.tar:app:1", Reference("docker-archive", "a.tar", "app:1")),
        ("docker://redis", Reference("docker", "redis")),
        ("docker://localhost:5000/a/b:1", Reference("docker", "localhost:5000/a/b", "1")),
        (f"docker://x/y@{DIGEST}", Reference("docker", "x/y", None, DIGEST)),
        (f"docker://x/y:1@{DIGEST}", Reference("docker", "x/y", "1", DIGEST)),
    ],
)
def test_forms(text: str, found: Reference) -> None:
    assert parse(text) == found
    assert str(found) == text


def test_a_folder_with_a_colon_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    assert parse("oci:a:b", tmp_path) == Reference("oci", "a:b")


@pytest.mark.parametrize(
    "text",
    ["oci:", "oci::tag", "docker:redis", "docker://", "docker://-x", "docker://a b", "podman:x"],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(InputError, match="does not name a container image"):
        parse(text)


def test_short_names() -> None:
    names = ["docker://x:5000/a/redis:8", "oci:/x/app:1", "docker-archive:/x/app.tar"]
    assert [parse(name).short_name for name in names] == ["redis", "app", "app"]


@given(st.text(max_size=30))
def test_no_name_is_an_option(rest: str) -> None:
    assert is_reference(f"docker://{rest}")
    try:
        found = parse(f"docker://{rest}")
    except InputError:
        return
    assert not found.place.startswith("-")
