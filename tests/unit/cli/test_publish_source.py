"""What `nitro publish` takes for a disk, and what it knows of where the disk comes from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import nitro.image
from nitro.cli import publish_source
from nitro.errors import InputError
from nitro.image import Image, build_cache
from nitro.progress import Reporter
from nitro.publish.source import Source
from nitro.recipe import Recipe
from tests.cloud.joint import FakeBuilder, small_disk


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA", "CODEBUILD_RESOLVED_SOURCE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBuilder:
    builder = FakeBuilder(small_disk(tmp_path / "built.raw", "web"))

    def build(recipe: Recipe, *, report: Reporter, locked: bool) -> Image:
        return builder.prepare(recipe, locked=locked, report=report).build()

    monkeypatch.setattr(nitro.image, "build", build, raising=False)
    monkeypatch.setattr(nitro.image, "known", lambda what: None, raising=False)
    return builder


def find(what: str, **given: Any) -> Source:
    wanted = {"name": None, "architecture": None, "boot_mode": None, "revision": None}
    return publish_source.find(what, locked=False, report=Reporter(), **{**wanted, **given})


def test_a_recipe_is_built_and_named_by_itself(builder: FakeBuilder) -> None:
    Path("web.toml").write_text('command = ["/bin/true"]\n')
    found = find("web.toml")
    assert builder.built == ["web"]
    assert found.disk.name == "web"
    assert found.disk.digest == builder.disk.digest
    assert find("web.toml", name="shop").disk.name == "shop"


@pytest.mark.parametrize(
    "what", ["image", f"image/{build_cache.MANIFEST}", f"image/{build_cache.DISK}"]
)
def test_an_image_that_was_built_is_not_built_again(
    what: str, builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = builder.prepare(Recipe(name="web", command=("/bin/true",)), report=Reporter()).image
    read: list[Path] = []

    def remember(manifest: Path) -> Image:
        read.append(manifest)
        return image

    monkeypatch.setattr(build_cache, "read", remember)
    Path("image").mkdir()
    Path("image", build_cache.MANIFEST).write_text("{}")
    assert find(what).disk.digest == builder.disk.digest
    assert (read, builder.built) == ([Path("image", build_cache.MANIFEST)], [])


def test_the_bill_of_materials_is_named_by_its_hash(builder: FakeBuilder) -> None:
    Path("web.toml").write_text('command = ["/bin/true"]\n')
    assert find("web.toml").provenance.bill == ""
    image = builder.prepare(Recipe(name="web", command=("/bin/true",)), report=Reporter()).image
    image.bill_of_materials.write_text(json.dumps({"packages": []}))
    expected = hashlib.sha256(image.bill_of_materials.read_bytes()).hexdigest()
    assert find("web.toml").provenance.bill == expected


def test_a_raw_disk_without_what_describes_it_is_refused(builder: FakeBuilder) -> None:
    Path("disk.raw").write_bytes(b"disk")
    with pytest.raises(InputError, match=r"disk\.raw: a raw disk without a manifest needs --name"):
        find("disk.raw")
    with pytest.raises(InputError, match="a raw disk needs --name, --arch and --boot-mode"):
        find("disk.raw", architecture="x86_64")


def test_a_raw_disk_of_anybodys_says_nothing_of_its_origin() -> None:
    Path("disk.raw").write_bytes(b"disk" * 1000)
    found = find("disk.raw", name="web", architecture="x86_64", boot_mode="uefi")
    assert found.disk.digest == f"sha256:{hashlib.sha256(b'disk' * 1000).hexdigest()}"
    assert found.disk.size_bytes == 4000


@pytest.mark.parametrize(
    "variable", ["GITHUB_SHA", "CI_COMMIT_SHA", "CODEBUILD_RESOLVED_SOURCE_VERSION"]
)
def test_the_revision_is_what_the_ci_has_checked_out(
    variable: str, builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("web.toml").write_text('command = ["/bin/true"]\n')
    monkeypatch.setenv(variable, "c0ffee")
    assert find("web.toml").provenance.revision == "c0ffee"
    assert find("web.toml", revision="v1").provenance.revision == "v1"


def test_elsewhere_git_says_the_revision_of_the_recipes_folder(
    builder: FakeBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    recipe = folder / "web.toml"
    recipe.write_text('command = ["/bin/true"]\n')
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert find(str(recipe)).provenance.revision == ""
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.com")
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", folder, *words], check=True)
    said = find(str(recipe)).provenance.revision
    head = subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert said == head.stdout.strip()
    recipe.write_text('command = ["/bin/false"]\n')
    assert find(str(recipe)).provenance.revision == f"{said}-dirty"
    monkeypatch.setenv("PATH", "")
    assert find(str(recipe)).provenance.revision == ""


def test_a_password_comes_from_the_environment_or_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NITRO_SIGN_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert publish_source.password() is None
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")
    assert publish_source.password() == "typed"
    monkeypatch.setenv("NITRO_SIGN_PASSWORD", "")
    assert publish_source.password() == ""
