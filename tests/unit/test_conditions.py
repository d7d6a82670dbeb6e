"""What a measurement was taken under: the guest's own words, and this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro import conditions
from nitro.conditions import GuestReport, host, read_console, revision


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    revision.cache_clear()
    yield
    revision.cache_clear()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree of nitro's that is not this one."""
    (tmp_path / "nitro").mkdir()
    monkeypatch.setattr(conditions, "__file__", str(tmp_path / "nitro/conditions.py"))
    return tmp_path


def git(tree: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(
        ["git", "-C", str(tree), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_source_tree_has_a_revision_that_says_when_it_was_changed(tree: Path) -> None:
    git(tree, "init", "--quiet")
    (tree / "file").write_text("1")
    git(tree, "add", "file")
    git(tree, "commit", "--quiet", "--message", "x")
    assert revision() == git(tree, "rev-parse", "HEAD")
    (tree / "file").write_text("2")
    revision.cache_clear()
    assert revision() == f"{git(tree, 'rev-parse', 'HEAD')}-dirty"


def test_what_is_installed_has_none(tree: Path) -> None:
    assert revision() is None


def test_without_git_the_revision_is_not_known(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / ".git").mkdir()
    assert revision() is None  # not a repository of git's
    revision.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    assert revision() is None


def test_a_git_that_hangs_is_not_waited_for(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / ".git").mkdir()
    (tree / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tree / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tree), prepend=os.pathsep)
    monkeypatch.setattr(conditions, "GIT_SECONDS", 0.05)
    assert revision() is None


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = host()
    assert here["processors"] >= 1
    assert here["system"].startswith("Linux ")

    def refuse(path: Path) -> str:
        raise OSError(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert host()["processor"] is None


def test_a_guest_that_says_nothing_is_unknown() -> None:
    assert read_console("") == GuestReport("unknown", "unknown", "unknown", None, None)
    assert read_console('{"nitro":"driver","uptime":1,"driver":"tulip"}').nic == "tulip"


def test_osvs_own_driver_does_not_say_so() -> None:
    booted = "OSv v0.57.0\r\neth0: 172.31.32.4\r\nCmdline: /usr/bin/x\r\n"
    assert read_console(booted) == GuestReport("OSv v0.57.0", "unknown", "kernel", "OSv v0.57.0")
    ours = '{"nitro":"driver","uptime":0.3,"driver":"nitro_ena","kind":"nitro"}\r\n'
    assert read_console(booted.replace("eth0", f"{ours}eth0")).driver == "nitro"
    assert read_console("OSv v0.57.0\r\nCmdline: /usr/bin/x\r\n").driver == "unknown"


def test_warnings_of_a_guest_are_kept_in_order() -> None:
    lines = [f'{{"nitro":"warning","uptime":1,"what":"{what}"}}\n' for what in ("first", "second")]
    assert read_console("".join(lines)).warnings == ("first", "second")
