"""Programs inside trees of packages, with a stand-in for the program that makes namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import Tree, chroot
from nitro.errors import NitroError


@pytest.fixture
def trees(tmp_path: Path) -> list[Tree]:
    for name in ("one", "two"):
        (tmp_path / "trees" / name).mkdir(parents=True)
    return [Tree(tmp_path / "trees" / name, ()) for name in ("one", "two")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def unshare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    program = tmp_path / "unshare"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(chroot, "_UNSHARE", (str(program),))


def test_the_command_gets_the_trees_its_folder_and_a_fixed_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trees: list[Tree], folder: Path
) -> None:
    unshare(tmp_path, monkeypatch, 'pwd; shift 4; echo "$*"; env')
    monkeypatch.setenv("CFLAGS", "-O3")
    said = chroot.run(trees, ["make", "all"], folder, environment={"KBUILD_BUILD_USER": "nitro"})
    place, words, *environment = said.splitlines()
    assert place == str(tmp_path / "trees"), "layers are named relative to the trees' folder"
    assert words == f"one:two {folder} make all"
    assert {"LC_ALL=C", "TZ=UTC", "KBUILD_BUILD_USER=nitro"} <= set(environment)
    assert not [line for line in environment if line.startswith("CFLAGS")]


def test_a_failure_ends_with_what_the_command_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trees: list[Tree], folder: Path
) -> None:
    unshare(tmp_path, monkeypatch, "for n in 1 2 3 4; do echo line $n; done; exit 2")
    with pytest.raises(NitroError) as caught:
        chroot.run(trees, ["gcc", "x.c"], folder)
    assert caught.value.what == "gcc failed: line 2 / line 3 / line 4"
    assert caught.value.hint is None


@pytest.mark.parametrize("said", ["unshare: unshare failed: Operation not permitted", "mount: /"])
def test_a_system_without_namespaces_leads_to_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trees: list[Tree], folder: Path, said: str
) -> None:
    unshare(tmp_path, monkeypatch, f"echo '{said}' >&2; exit 1")
    with pytest.raises(NitroError) as caught:
        chroot.run(trees, ["gcc"], folder)
    assert said in caught.value.what
    assert "nitro doctor" in (caught.value.hint or "")


def test_a_command_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trees: list[Tree], folder: Path
) -> None:
    unshare(tmp_path, monkeypatch, "exec sleep 60")
    with pytest.raises(NitroError, match="gcc took longer than 0 s"):
        chroot.run(trees, ["gcc"], folder, timeout=0.05)
