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


@pytest.mark.parametrize("user", ["", "0", "0:", "0:0", "root", "root:root", "root:0", " 0 "])
def test_every_way_to_say_root(tmp_path: Path, user: str) -> None:
    """An image of which the user has a number of its own would be looked for in /etc/passwd."""
    name = f"oci:{oci(tmp_path / 'app', [], Cmd=['/x'], User=user)}"
    assert complete(for_container(name)).user == "root"


@pytest.mark.parametrize("user", ["1", "0:5", "www-data", "a.b:c_d", "nobody:"])
def test_other_users_are_kept(tmp_path: Path, user: str) -> None:
    name = f"oci:{oci(tmp_path / 'app', [], Cmd=['/x'], User=user)}"
    assert complete(for_container(name)).user == user.removesuffix(":")


@pytest.mark.parametrize(
    ("image", "keys", "says"),
    [
        ({}, {}, "poweroff"),
        ({"ExposedPorts": {"80/tcp": {}}}, {}, "restart"),
        ({}, {"ports": [80]}, "restart"),
        ({"ExposedPorts": {"80/tcp": {}}}, {"ports": []}, "poweroff"),
        ({"ExposedPorts": {"80/tcp": {}}}, {"on_exit": "poweroff"}, "poweroff"),
        ({}, {"on_exit": "restart"}, "restart"),
    ],
)
def test_what_serves_is_started_again(
    tmp_path: Path, image: dict[str, Any], keys: dict[str, Any], says: str
) -> None:
    name = f"oci:{oci(tmp_path / 'app', [], Cmd=['/x'], **image)}"
    assert complete(recipe(name, **keys)).on_exit == says


@pytest.mark.parametrize("check", [None, {"Test": ["NONE"]}, {}])
def test_nothing_is_said_where_there_is_nothing_to_honour(
    tmp_path: Path, check: dict[str, Any] | None
) -> None:
    """NONE turns a health check off that a base image has."""
    notes = Notes()
    name = f"oci:{oci(tmp_path / 'app', [], Cmd=['/x'], Healthcheck=check)}"
    complete(for_container(name), report=notes)
    assert notes.lines == []


def test_notes_name_the_image_and_all_that_it_has(tmp_path: Path) -> None:
    notes = Notes()
    run: dict[str, Any] = {
        "Volumes": {"/b": {}, "/a": {}},
        "Env": ["b.c=1", "a-b=2", "9A=3", "_OK=4"],
    }
    name = f"oci:{oci(tmp_path / 'app', [], Cmd=['/x'], **run)}"
    complete(for_container(name), report=notes)
    assert all(line.startswith(f"{name}: ") for line in notes.lines)
    said = [line.rpartition(": ")[2] for line in notes.lines]
    assert said == ["/a, /b", "9A, a-b, b.c"]
