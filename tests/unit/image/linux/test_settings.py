"""What a recipe tells the guest's init, as a shell reads it."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.linux import attributes, settings
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@pytest.mark.extended
@given(words=st.lists(WORDS, max_size=4), value=WORDS)
def test_words_reach_the_command_as_they_are(words: list[str], value: str) -> None:
    rootfs = Rootfs()
    settings.add(rootfs, Recipe(name="test", command=("/bin/sh", *words), env={"KEY": value}))
    nodes = rootfs.nodes
    run, told = nodes["/etc/nitro/run"].source, nodes["/etc/nitro/recipe"].source
    assert nodes["/etc/nitro/run"].executable
    assert not nodes["/etc/nitro/recipe"].executable
    assert isinstance(run, bytes)
    assert isinstance(told, bytes)
    lexed = shlex.split(run.decode().split("\n", 1)[1])
    assert lexed == ["export", f"KEY={value}", "exec", "/bin/sh", *words]
    pairs = dict(pair.split("=", 1) for pair in shlex.split(told.decode()))
    assert json.loads(f'"{pairs["COMMAND"]}"') == shlex.join(["/bin/sh", *words])


def test_another_user_runs_the_command_and_may_open_the_console() -> None:
    rootfs = Rootfs()
    settings.add(rootfs, Recipe(name="test", command=("/bin/id", "-u"), user="12:34"))
    run = rootfs.read("/etc/nitro/run").decode().splitlines()
    assert run[-2:] == ["chown 12:34 /dev/console", "exec /usr/lib/nitro/gosu 12:34 /bin/id -u"]
    assert not settings.wanted(Recipe(name="test"))
    assert settings.wanted(Recipe(name="test", user="app"))[0].names == ("gosu",)


def test_file_capabilities_are_set_before_the_command_starts() -> None:
    rootfs = Rootfs()
    rootfs.add(attributes.SCRIPT, Node("program", "test", source=b""))
    settings.add(rootfs, Recipe(name="test", command=("/x",), working_directory="/srv"))
    run = rootfs.read("/etc/nitro/run").decode().splitlines()
    assert run[1:] == [". /etc/nitro/attributes", "cd /srv", "exec /x"]


def told(**keys: Any) -> dict[str, str]:
    """What a shell has after it has read /etc/nitro/recipe, as the guest's init does."""
    rootfs = Rootfs()
    settings.add(rootfs, Recipe.model_validate({"name": "test", "command": ("/x",), **keys}))
    names = ("NAME", "PORTS", "ON_EXIT", "COMMAND", "STOP_SIGNAL")
    script = rootfs.read("/etc/nitro/recipe").decode()
    script += "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(names, shown.stdout.split("\0"), strict=False))


def test_the_guest_is_told_what_the_recipe_says() -> None:
    found = told(ports=[80, 443], on_exit="restart", command=("/bin/a", "b c"))
    assert (found["NAME"], found["PORTS"], found["ON_EXIT"]) == ("test", "80 443", "restart")
    assert found["COMMAND"] == "/bin/a 'b c'"


@pytest.mark.parametrize("signal", ["QUIT", "INT", ""])
def test_the_guest_is_told_the_signal_that_ends_the_command(signal: str) -> None:
    """nginx breaks off at TERM, and at QUIT ends what it has begun; TERM is sent without one."""
    assert told(stop_signal=signal or None)["STOP_SIGNAL"] == signal


def test_a_command_is_printed_with_its_own_letters() -> None:
    """On the console, whose reader would else see escapes."""
    rootfs = Rootfs()
    settings.add(rootfs, Recipe(name="test", command=("/x", "grüße")))
    assert "grüße" in rootfs.read("/etc/nitro/recipe").decode()


def test_gosu_comes_alone_from_the_recipes_suite() -> None:
    """It is a static program: what its package depends on would be weight only."""
    [wanted] = settings.wanted(Recipe(name="test", user="app", suite="bookworm"))
    assert wanted.key == "bookworm only: gosu"


def test_the_manifest_says_whose_files_these_are() -> None:
    rootfs = Rootfs()
    settings.add(rootfs, Recipe(name="test", command=("/x",)))
    for path in ("/etc/nitro/recipe", "/etc/nitro/run"):
        node = rootfs.nodes[path]
        assert (node.layer, node.origin) == ("program", "nitro")
