"""No value of a recipe becomes an option of a program that a build starts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nitro import image
from nitro.debian import Wanted, apt
from nitro.errors import InputError, NitroError
from nitro.image import flavour
from nitro.recipe import Recipe
from tests.unit.image.printer import Printer

OPTION = "-oDir::Bin::solvers::=evil"
VALUES: tuple[Callable[[str], Any], ...] = (
    lambda word: word,
    lambda word: [word],
    lambda word: {word: word},
    lambda word: {"KEY": word},
    lambda word: {f"/{word}": word},
    lambda word: [f"/{word}"],
    lambda word: f"/{word}",
    lambda word: [{"source": word}],
    lambda word: [{"source": "/bin/sh", "path": word}],
)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of all programs that were to be started."""
    lines: list[list[str]] = []

    def start(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        lines.append([str(word) for word in argv])
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(subprocess, "run", start)
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setitem(flavour.FLAVOURS, "printer", Printer)  # it needs no packages of its own
    monkeypatch.setattr(apt, "archives", lambda: {"debian": "file:/nowhere"})
    return lines


@pytest.mark.parametrize("key", [n for n, f in Recipe.model_fields.items() if not f.exclude])
def test_values_that_look_like_options(key: str, started: list[list[str]], tmp_path: Path) -> None:
    tried = 0
    for value in VALUES:
        for word in (OPTION, f"{OPTION}\n", f"trixie {OPTION}"):
            keys = {"name": "x", "kernel": "printer", "command": ["/bin/print"], key: value(word)}
            try:
                recipe = Recipe.model_validate({**keys, "folder": tmp_path})
            except ValidationError:
                continue
            tried += 1
            with suppress(NitroError):
                image.prepare(recipe)
    assert tried or key in FIXED, f"no value of {key} was accepted: is it in VALUES?"
    for line in started:
        options = line[: line.index("--")] if "--" in line else line
        assert not any("Dir::Bin" in word for word in options), line


# Keys that take none of VALUES: names after a pattern, numbers, words of a list.
FIXED = {
    "name",
    "architecture",
    "kernel",
    "suite",
    "boot_mode",
    "packages",
    "ports",
    "driver",
    "launch",
    "strace",
    "minimum_memory_mib",
    "extras",
    "on_exit",
    "base",
    "service",
    "stop_signal",
    "user",
}


@pytest.mark.parametrize("closure", [True, False])
def test_names_of_packages_come_after_the_options(closure: bool, started: list[list[str]]) -> None:
    with pytest.raises(InputError):
        apt.AptRoot.open("trixie", Wanted(()).arch).resolve(Wanted((OPTION,), closure=closure))
    [line] = [line for line in started if OPTION in line]
    assert line[-2:] == ["--", OPTION]
