"""Users and folders that packages declare, in place of the scripts that do not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image import declared, users
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe


def made(tree: Path, **keys: Any) -> Rootfs:
    keys = {"packages": ["varnish"], "command": ["/x"], "kernel": "linux", **keys}
    recipe = Recipe.model_validate({"name": "a", "folder": tree, **keys})
    rootfs = Rootfs()
    users.add(rootfs, recipe)
    declared.add(rootfs, recipe, tree)
    return rootfs


def declare(tree: Path, kind: str, text: str, name: str = "varnish.conf") -> None:
    folder = tree / f"usr/lib/{kind}.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def below(rootfs: Rootfs) -> dict[str, tuple[int, int, int]]:
    return {
        path: (node.mode, node.uid, node.gid)
        for path, node in rootfs.nodes.items()
        if path.startswith(("/run/", "/var/lib/", "/var/log/"))
    }


def test_folders_of_the_packages_below_var(tmp_path: Path) -> None:
    for path in ("var/lib/varnish/data", "var/log/varnish", "var/lib/dpkg/info", "var/www"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "var/lib/varnish/file").touch()
    assert [*below(made(tmp_path))] == [
        "/var/lib/varnish",
        "/var/lib/varnish/data",
        "/var/log/varnish",
    ]


def test_the_packages_folders_belong_to_who_runs_the_command(tmp_path: Path) -> None:
    (tmp_path / "var/lib/varnish").mkdir(parents=True)
    assert below(made(tmp_path, user="1234"))["/var/lib/varnish"] == (0o755, 1234, 0)


def test_folders_and_users_that_are_declared(tmp_path: Path) -> None:
    declare(tmp_path, "sysusers", 'u vcache - "The cache" /nonexistent\nu! odd\ng only\n#u no\n')
    declare(tmp_path, "tmpfiles", "d /run/varnish 2755 vcache vcache -\nD! /var/run/x ~700 - -\n")
    rootfs = made(tmp_path)
    passwd = rootfs.read("/etc/passwd").decode()
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["root", "vcache", "odd"]
    uid, gid = users.ids(rootfs, "vcache:vcache")
    assert below(rootfs) == {"/run/varnish": (0o2755, uid, gid), "/run/x": (0o700, 0, 0)}


@pytest.mark.parametrize("kind", ["d", "D", "v", "q", "Q", "d!", "Q$"])
def test_each_kind_of_folder_is_made(tmp_path: Path, kind: str) -> None:
    declare(tmp_path, "tmpfiles", f"{kind} /run/varnish 0700 - - -\n")
    assert below(made(tmp_path)) == {"/run/varnish": (0o700, 0, 0)}


def test_two_users_of_one_group(tmp_path: Path) -> None:
    declare(tmp_path, "sysusers", "g varnish -\nu varnish 50:varnish\nu vcache -:varnish\n")
    rootfs = made(tmp_path)
    first, second = users.ids(rootfs, "varnish"), users.ids(rootfs, "vcache")
    assert first[0] != second[0]
    assert first[1] == second[1] == users.ids(rootfs, "0:varnish")[1]


@pytest.mark.parametrize(
    "line",
    ["f /run/file", "d /etc/x", "d /run/%u", "d /run/../etc", "d", "'", "L /run/x - - - - /etc"],
)
def test_nothing_is_made_of_other_lines(tmp_path: Path, line: str) -> None:
    declare(tmp_path, "tmpfiles", f"{line}\n")
    assert below(made(tmp_path)) == {}


def test_only_the_recipes_own_packages_are_asked(tmp_path: Path) -> None:
    declare(tmp_path, "tmpfiles", "d /run/x\n", "systemd.conf")
    assert below(made(tmp_path)) == {}
    assert below(made(tmp_path, packages=["systemd-container"])) == {"/run/x": (0o755, 0, 0)}


def test_an_owner_whom_nobody_knows_is_root(tmp_path: Path) -> None:
    declare(tmp_path, "tmpfiles", "d /run/x 0755 nobody-knows nogroup\n")
    assert below(made(tmp_path)) == {"/run/x": (0o755, 0, 0)}


def test_what_the_recipe_makes_stays(tmp_path: Path) -> None:
    (tmp_path / "var/lib/varnish").mkdir(parents=True)
    folder = {"path": "/var/lib/varnish", "owner": "7", "mode": "0700"}
    assert below(made(tmp_path, folders=[folder])) == {"/var/lib/varnish": (0o700, 7, 0)}


def test_not_for_osv_or_a_container_image(tmp_path: Path) -> None:
    (tmp_path / "var/lib/varnish").mkdir(parents=True)
    assert below(made(tmp_path, kernel="osv:mine")) == {}
    recipe = Recipe.model_validate(
        {"name": "a", "folder": tmp_path, "from": "oci:x", "packages": ["varnish"]}
    )
    rootfs = Rootfs({"/": Node("container", "x")})
    declared.add(rootfs, recipe, tmp_path)
    assert [*rootfs.nodes] == ["/"]


@pytest.mark.extended
@given(st.text())
def test_any_file_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tree = tmp_path_factory.mktemp("tree")
    for kind in ("sysusers", "tmpfiles"):
        declare(tree, kind, text.encode("utf-8", "replace").decode())
    made(tree)
