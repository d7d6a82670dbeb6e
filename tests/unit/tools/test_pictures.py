"""Pictures show what a command writes to a terminal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools import pictures


def test_the_last_state_of_the_screen_is_shown_with_its_colours(tmp_path: Path) -> None:
    command = r"printf 'half\rwhole \033[32mgreen\033[0m\n\n  last\n'"
    written = pictures.on_terminal(command, tmp_path, dict(os.environ))
    text = pictures.as_text(pictures.without_paths(written, tmp_path.parent))
    assert text.plain == "whole green\n\n  last"
    assert [str(span.style) for span in text.spans if "g" in text.plain[span.start : span.end]] == [
        "green"
    ]


def test_paths_are_those_of_a_user(tmp_path: Path) -> None:
    written = f"{tmp_path}/state/local and {Path.home()}/.cache".encode()
    assert pictures.without_paths(written, tmp_path) == b"~/.local/state/nitro/local and ~/.cache"


def test_a_command_that_fails_leaves_no_picture_and_no_local_nitro(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    with pytest.raises(subprocess.CalledProcessError):
        pictures.draw(pictures.Picture("broken", "exit 3", before=("prepare",)))
    assert ran == ["prepare", "nitro local down --force"]
    assert not list(tmp_path.iterdir())
