"""What a recipe tells the guest's init, as a shell reads it."""

from __future__ import annotations

import json
import shlex

from hypothesis import given
from hypothesis import strategies as st

from nitro.image.linux import attributes, settings
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


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
