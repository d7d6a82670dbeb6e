"""A container image's statements as keys of a recipe, and who has the last word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.container_images import layer, oci
from nitro.container import complete
from nitro.errors import InputError
from nitro.ports import Port
from nitro.progress import Reporter
from nitro.recipe import Recipe, for_container

RUN: dict[str, Any] = {
    "User": "app:adm",
    "ExposedPorts": {"80/tcp": {}},
    "Env": ["A=1", "B=2", "not.exportable=3"],
    "Entrypoint": ["/entry"],
    "Cmd": ["serve"],
    "WorkingDir": "/srv",
    "StopSignal": "SIGINT",
    "Volumes": {"/data": {}},
    "Healthcheck": {"Test": ["CMD", "true"]},
}


class Notes(Reporter):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return f"oci:{oci(tmp_path / 'app', [layer(files={'x': b'1'})], **RUN)}"


def recipe(name: str, **keys: Any) -> Recipe:
    return Recipe.model_validate({"name": "test", "from": name, **keys})


def test_the_image_is_honoured(name: str) -> None:
    found = complete(for_container(name))
    assert found.name == "app"
    assert found.argv == ("/entry", "serve")
    assert (found.user, found.working_directory, found.stop_signal) == ("app:adm", "/srv", "INT")
    assert found.ports == (Port("tcp", 80),)
    assert (found.env["A"], found.on_exit, found.extras) == ("1", "restart", ("resolv",))


def test_the_recipe_has_the_last_word(name: str) -> None:
    keys = {"user": "root", "ports": [], "env": {"A": "9"}, "working_directory": "/"}
    found = complete(recipe(name, command=["/own"], stop_signal="TERM", **keys))
    assert (found.argv, found.user, found.ports) == (("/own",), "root", ())
    assert (found.env["A"], found.env["B"]) == ("9", "2")
    assert (found.working_directory, found.stop_signal, found.on_exit) == ("/", "TERM", "poweroff")


def test_arguments_take_the_place_of_cmd(name: str) -> None:
    assert complete(for_container(name), arguments=["a", "b"]).argv == ("/entry", "a", "b")


def test_once_is_enough(name: str) -> None:
    once = complete(for_container(name))
    assert complete(once) is once
    plain = Recipe(name="test", command=("/bin/sh",))
    assert complete(plain) is plain


def test_what_is_not_honoured_is_said(name: str) -> None:
    notes = Notes()
    complete(for_container(name), report=notes)
    said = "\n".join(notes.lines)
    assert "/data" in said
    assert "health check is not used" in said
    assert "not.exportable" in said


def test_an_image_without_a_command_or_with_an_odd_user(tmp_path: Path) -> None:
    bare = f"oci:{oci(tmp_path / 'bare', [])}"
    with pytest.raises(InputError, match="names no command"):
        complete(for_container(bare))
    odd = f"oci:{oci(tmp_path / 'odd', [], Cmd=['/x'], User='a b')}"
    with pytest.raises(InputError, match="runs as 'a b'"):
        complete(for_container(odd))
