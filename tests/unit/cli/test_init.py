from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nitro import config, recipe
from nitro.cli import app
from nitro.ports import Port


def test_what_init_writes_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NITRO_CLOUD", raising=False)
    folder = tmp_path / "app"
    folder.mkdir()
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        f"wrote {folder / 'nitro.toml'}",
        f"wrote {folder / 'app.toml'}",
        f"next: nitro deploy {folder / 'app.toml'} --instance c5.large",
    ]
    assert config.load(folder).cloud == "local"
    assert recipe.load(folder / "app.toml").ports == (Port("tcp", 8080),)


def test_init_overwrites_nothing(tmp_path: Path):
    (tmp_path / "nitro.toml").write_text("mine")
    done = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert done.exit_code == 2
    assert "already exists" in done.stderr
    assert (tmp_path / "nitro.toml").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_init_names_the_recipe_as_recipes_may_be_named(tmp_path: Path):
    folder = tmp_path / "My_App 2"
    folder.mkdir()
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    assert recipe.load(folder / "my-app-2.toml").name == "my-app-2"


@pytest.mark.parametrize("name", ["file", "file/below", "nope", "nope/deep"])
def test_init_where_no_folder_is_makes_nothing(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("mine")
    done = CliRunner().invoke(app, ["init", str(tmp_path / name)])
    assert done.exit_code == 2
    first, hint = done.stderr.splitlines()
    assert "is no folder" in first or "there is no such folder" in first
    assert hint.strip() == "give the folder of a project"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_init_writes_both_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = Path.write_text

    def full(path: Path, text: str) -> int:
        if "nitro.toml" not in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return written(path, text)

    monkeypatch.setattr(Path, "write_text", full)
    done = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert done.exit_code != 0
    assert "No space left" in done.stderr
    assert list(tmp_path.iterdir()) == []
