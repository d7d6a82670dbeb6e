"""What stays out of an image's folders, as git would read the patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.excluded import excluder
from nitro.image.rootfs import Rootfs
from nitro.recipe import Recipe


def copied(folder: Path, source: Path, *patterns: str) -> set[str]:
    recipe = Recipe(name="test", folder=folder, exclude=patterns)
    rootfs = Rootfs()
    skip = excluder(source, recipe)
    found = rootfs.copy("/app", source, "program", "test", excluded=skip)
    return {path.removeprefix("/app/") for path, _ in found.files}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name in ("app.py", ".git/HEAD", "a/x.log", "a/keep.log", "data/big"):
        path = tmp_path / "home/app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "home/app"


def test_patterns_of_the_recipe_start_at_its_folder(app: Path) -> None:
    found = copied(app.parent, app, ".git/", "*.log", "!keep.log", "/app/data")
    assert found == {"app.py", "a/keep.log"}
    assert "data/big" in copied(app.parent, app, "/data")


def test_a_folder_elsewhere_has_patterns_of_its_own(app: Path, tmp_path: Path) -> None:
    assert "data/big" not in copied(tmp_path / "other", app, "/data")


def test_nitroignore_beside_the_recipe_and_in_the_folder(app: Path) -> None:
    (app.parent / ".nitroignore").write_text("# comment\n/app/.git\n")
    (app / ".nitroignore").write_text("/data/\n*.log\n")
    assert copied(app.parent, app) == {"app.py"}


def test_a_folder_that_the_recipe_names_is_not_left_out_itself(app: Path) -> None:
    """As an environment in a project's folder: left out of the project, and taken for itself."""
    patterns = ("/app/a/", "*.log", "a", "data/")
    assert "a/x.log" not in copied(app.parent, app, *patterns)
    assert copied(app.parent, app / "a", "/app/a/", "a") == {"x.log", "keep.log"}
    assert copied(app.parent, app / "a", *patterns, "!keep.log") == {"keep.log"}


def test_a_pattern_that_is_none(app: Path) -> None:
    with pytest.raises(InputError, match=r"the key exclude: .*as in \.gitignore"):
        copied(app.parent, app, "!")
