"""What scripts need: who runs them, and what of the packages they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.debian import Tree
from nitro.image import scripts
from nitro.image.contents import Contents
from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for path in ("usr/bin/erl", "usr/lib/rabbit/bin/server", "etc/rabbit/conf", "usr/lib/erl/x"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("")
    return tree


def lacking(tree: Path, text: str, *present: str) -> list[str]:
    (tree / "usr/sbin").mkdir(exist_ok=True)
    (tree / "usr/sbin/launch").write_text(text)
    rootfs = Rootfs()
    for path in present:
        rootfs.add(path, Node("packages", "Debian", source=b""))
    return scripts.lacking("/usr/sbin/launch", rootfs, Sysroot(tree))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("exec erl -x", ["/usr/bin/erl"]),
        ("test -f /x && exec erl", ["/usr/bin/erl"]),
        ("if true; then exec erl; fi", ["/usr/bin/erl"]),
        ('ERL="/usr/bin/erl"', ["/usr/bin/erl"]),
        (": ${CONF:=/etc/rabbit/conf}", ["/etc/rabbit/conf"]),
        ("erl=${ERL:-/usr/bin/erl}", ["/usr/bin/erl"]),
        ("cc -I-/usr/bin/erl", []),
        ("cd /etc/rabbit; cat /etc/rabbit/conf", ["/etc/rabbit"]),
        ("# exec erl, or /usr/bin/erl", []),
        ("exec unknown; exec 3>&1; exec $ERL; exec -a erl x", []),
        ("echo $HOME/usr/bin/erl ./usr/bin/erl", []),
        ("ls /usr /usr/lib /usr/bin /etc /usr/bin/no", []),
    ],
)
def test_what_a_launcher_names_of_the_packages(tree: Path, line: str, found: list[str]) -> None:
    assert lacking(tree, f"#!/bin/sh\n{line}\n") == found


def test_what_the_image_has_is_not_lacking(tree: Path) -> None:
    assert lacking(tree, "#!/bin/sh\nexec erl\n", "/usr/bin/erl") == []


def test_scripts_that_a_launcher_starts_are_read_in_turn(tree: Path) -> None:
    server = tree / "usr/lib/rabbit/bin/server"
    server.write_text("#!/bin/bash\n/usr/sbin/launch; exec erl\n")
    lacks = lacking(tree, "#! /usr/bin/env sh\n/usr/lib/rabbit/bin/server\n", "/usr/sbin/launch")
    assert lacks == ["/usr/lib/rabbit/bin/server", "/usr/bin/erl"]


@pytest.mark.parametrize("first", ["#!/usr/bin/python3", "\x7fELF", ""])
def test_only_shell_scripts_are_read(tree: Path, first: str) -> None:
    assert lacking(tree, f"{first}\nexec erl\n") == []


@given(st.text())
def test_any_script_can_be_read(text: str) -> None:
    assert [*scripts._named(text, Sysroot(Path("/nowhere")))] == []


@pytest.mark.parametrize(
    ("first", "runs"),
    [
        ("#!/bin/sh -e", ["/bin/sh"]),
        ("#!/usr/bin/env python3", ["/usr/bin/env", "python3"]),
        ("#!/usr/bin/env -S -i LANG=C A=-b node --x", ["/usr/bin/env", "node"]),
        ("#!/usr/bin/env", ["/usr/bin/env"]),
        ("#!", []),
    ],
)
def test_who_runs_a_script(tmp_path: Path, first: str, runs: list[str]) -> None:
    (tmp_path / "script").write_text(f"{first}\nbody\n")
    assert scripts.interpreters(tmp_path / "script") == runs


def test_an_interpreter_that_the_packages_lack_is_a_line_to_paste(tree: Path) -> None:
    recipe = Recipe(name="a", folder=tree, packages=("ejabberd",), command=("/x",))
    assert scripts.package_line("/bin/bash", recipe) == 'write packages = ["ejabberd", "bash"]'
    assert scripts.package_line("/usr/bin/node", recipe).endswith('"nodejs"]')
    assert scripts.package_line("/usr/bin/guile", recipe) == "add its package"


def test_the_build_says_what_a_launcher_lacks(tree: Path, tmp_path: Path) -> None:
    (tree / "usr/bin/launch").write_text("#!/bin/sh\nexec erl\n")
    recipe = Recipe(name="a", folder=tmp_path, packages=("rabbit",), command=("/usr/bin/launch",))
    contents = Contents(recipe, Tree(tree, ()), Rootfs(), {"/bin/sh"}.__contains__)
    contents.add()
    (note,) = contents.notes
    assert note.startswith("/usr/bin/launch names what the image has not")
    assert note.endswith('files += ["/usr/bin/erl"]')


@pytest.mark.parametrize(
    ("first", "keys", "needed"),
    [
        ("#!/bin/bash", {"programs": [{"source": "start"}]}, True),
        ("#!/usr/bin/env bash", {"files": [{"source": ".", "path": "/app"}]}, True),
        ("#!/bin/bash", {"files": [{"source": "start", "path": "/app/start"}]}, True),
        ("#!/bin/bash", {"files": [{"source": "start", "path": "/srv/start"}]}, False),
        ("#!/bin/sh", {"programs": [{"source": "start"}]}, False),
        ("", {"files": [{"source": ".", "path": "/app"}]}, False),
    ],
)
def test_bash_comes_for_a_script_of_the_recipes_folder(
    tmp_path: Path, first: str, keys: dict[str, object], needed: bool
) -> None:
    (tmp_path / "start").write_text(f"{first}\n")
    document = {"name": "a", "folder": tmp_path, "command": ["/app/start"], **keys}
    assert scripts.needs_bash(Recipe.model_validate(document)) is needed
