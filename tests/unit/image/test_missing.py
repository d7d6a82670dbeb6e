"""From paths sought in vain to lines of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nitro.debian import Tree
from nitro.image import missing
from nitro.image.missing import Lack
from nitro.recipe import Recipe


def recipe(**keys: Any) -> Recipe:
    return Recipe.model_validate({"name": "test", "command": ["/x"], **keys})


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for name in ("usr/share/nodejs/a/lexer.js", "etc/app.conf", "usr/lib/app/1", "usr/bin/tool"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for number in (2, 3):
        (tmp_path / f"usr/lib/app/{number}").touch()
    return Tree(tmp_path, ())


def test_what_the_packages_have_is_missing_and_the_rest_is_noise(tree: Tree) -> None:
    sought = ["/usr/share/nodejs/a/lexer.js", "/etc/none", "/etc/app.conf", "/usr"]
    found = missing.of_tree(recipe(), sought, tree)
    assert found == Lack(("/etc/app.conf", "/usr/share/nodejs/a/lexer.js"))
    assert found.lines(recipe()) == ['files += ["/etc/app.conf", "/usr/share/nodejs/a/lexer.js"]']


def test_configuration_that_a_package_script_copies(tree: Tree, tmp_path: Path) -> None:
    for name in ("ssh/sshd.conf", "one/two.conf", "other/two.conf", "doc/ssh/doc.conf"):
        (tree.root / "usr/share" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / "usr/share" / name).touch()
    sought = ["/etc/ssh/sshd.conf", "/etc/two.conf", "/etc/doc.conf", "/var/sshd.conf"]
    found = missing.of_tree(recipe(), sought, tree)
    assert found == Lack(copies=(("/usr/share/ssh/sshd.conf", "/etc/ssh/sshd.conf"),))
    line = 'files += [{ source = "/usr/share/ssh/sshd.conf", path = "/etc/ssh/sshd.conf" }]'
    assert found.lines(recipe()) == [line]
    new = missing.completed(recipe(packages=["ssh"]), missing.together(recipe(), Lack(), found))
    assert [(file.source, file.target) for file in new.files] == [*found.copies]
    assert new.files[0].origin == "package"


def test_many_files_of_a_folder_are_the_folder(tree: Tree) -> None:
    sought = [f"/usr/lib/app/{number}" for number in (1, 2, 3)]
    assert missing.of_tree(recipe(), sought, tree).files == ("/usr/lib/app",)


def test_a_library_is_a_package(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitro.debian.package_of", lambda name, *_: name.replace(".so.", ""))
    sought = ["/lib/libfoo.so.3", "/usr/lib/libfoo.so.3", "/usr/lib/app/plugin.so"]
    found = missing.of_tree(recipe(packages=["app"]), sought, tree)
    assert found == Lack((), ("libfoo3",))
    assert found.lines(recipe(packages=["app"])) == ['packages = ["app", "libfoo3"]']
    assert not missing.of_tree(recipe(packages=["libfoo3"]), sought, tree)


def test_a_completed_recipe_has_them(tmp_path: Path) -> None:
    old = recipe(packages=["app"], files=["/a"], folder=tmp_path, file=tmp_path / "x.toml")
    new = missing.completed(old, Lack(("/b",), ("libfoo3",)))
    assert [file.target for file in new.files] == ["/a", "/b"]
    assert new.packages == ("app", "libfoo3")
    assert (new.folder, new.file) == (tmp_path, tmp_path / "x.toml")
    assert new.model_copy(update={"files": old.files, "packages": old.packages}) == old


def test_files_of_two_runs_below_a_folder_are_the_folder() -> None:
    one = Lack(("/usr/share/nodejs/a/lexer.js", "/etc/app.conf"), ("liba",))
    two = Lack(("/usr/share/nodejs/b/fetch.js", "/etc/mime.types"), ("liba", "libb"))
    files = ("/etc/app.conf", "/usr/share/nodejs", "/etc/mime.types")
    assert missing.together(recipe(), one, two) == Lack(files, ("liba", "libb"))
    three = Lack(("/usr/lib/x86_64-linux-gnu/b/1",))
    libraries = Lack(("/usr/lib/x86_64-linux-gnu/a/1",))
    assert missing.together(recipe(), libraries, three).files == (*libraries.files, *three.files)


def test_a_folder_with_files_of_the_recipes_own_is_not_brought_whole(tmp_path: Path) -> None:
    own = {"source": "app.conf", "path": "/etc/app/app.conf"}
    one, two = Lack(("/etc/app/a",)), Lack(("/etc/app/b",))
    assert missing.together(recipe(files=[own]), one, two).files == ("/etc/app/a", "/etc/app/b")
    assert missing.together(recipe(), one, two).files == ("/etc/app",)


def test_packages_with_scripts_are_those_around_the_recipes_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missing, "making", lambda pairs: [name for name, _ in pairs])
    names = ["nginx", "nginx-common", "libc6"]
    manifest = {"packages": [{"name": name, "sha256": "x"} for name in names]}
    assert missing.scripted(recipe(packages=["nginx"]), manifest) == ["nginx", "nginx-common"]
