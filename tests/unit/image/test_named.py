"""What the command and the configuration name of a recipe's packages comes into the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import Tree
from nitro.image.contents import Contents
from nitro.image.rootfs import Rootfs
from nitro.recipe import Recipe
from tests.unit.image.elves import write as program

CONFIG = "etc/web/web.conf"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package's files."""
    root = tmp_path / "tree"
    for path in ("usr/sbin/web", "usr/lib/web/filter"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        program(root / path)
    write(root, "usr/share/web/hints", "hints\n")
    write(root, CONFIG, "")
    return root


def write(tree: Path, path: str, text: str, mode: int = 0o644) -> None:
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def filled(tree: Path, **keys: object) -> Contents:
    document = {
        "name": "a",
        "folder": tree.parent,
        "packages": ("web",),
        "files": ({"source": "/etc/web"},),
        "command": ("/usr/sbin/web",),
        **keys,
    }
    recipe = Recipe.model_validate(document)
    contents = Contents(recipe, Tree(tree, ()), Rootfs(), {"/bin/sh", "libc.so.6"}.__contains__)
    contents.add()
    return contents


@pytest.mark.parametrize(
    ("line", "comes"),
    [
        ("hints /usr/share/web/hints;", True),
        ('file "/usr/share/web/hints"', True),
        ("path=/usr/share/web/hints", True),
        ("# hints /usr/share/web/hints", False),
        ("  // hints /usr/share/web/hints", False),
        ("; /usr/share/web/hints", False),
        ("log /var/log/web/hints", False),
        ("folder /usr/share/web", False),
        ("prefix/usr/share/web/hints", False),
    ],
)
def test_a_file_that_configuration_names_comes(tree: Path, line: str, comes: bool) -> None:
    write(tree, CONFIG, f"{line}\n")
    contents = filled(tree)
    assert ("/usr/share/web/hints" in contents.rootfs) is comes
    why = [one.reason for one in contents.decisions if "hints" in one.choice]
    assert why == ["/etc/web/web.conf names it"] * comes


@pytest.mark.parametrize("path", ["etc/web/sites-available/one", "etc/web/README", "usr/share/w"])
def test_what_is_no_configuration_in_force_names_nothing(tree: Path, path: str) -> None:
    write(tree, path, "hints /usr/share/web/hints\n")
    keys = {"files": ({"source": "/etc/web"}, {"source": "/usr/share/w", "optional": True})}
    assert "/usr/share/web/hints" not in filled(tree, **keys).rootfs


def test_what_the_command_line_names_comes(tree: Path) -> None:
    command = ("/usr/sbin/web", "-f", "/etc/web/web.conf", "--hints=/usr/share/web/hints")
    contents = filled(tree, command=command, files=())
    assert "/etc/web/web.conf" in contents.rootfs
    assert "/usr/share/web/hints" in contents.rootfs


def test_the_programs_of_command_and_setup_come(tree: Path) -> None:
    contents = filled(tree, setup=("/usr/lib/web/filter", "--init"))
    assert "/usr/lib/web/filter" in contents.rootfs


def test_a_program_that_the_commands_script_starts_comes(tree: Path) -> None:
    write(tree, "usr/bin/webctl", "#!/bin/sh\nexec /usr/sbin/web -D\n", 0o755)
    contents = filled(tree, command=("/usr/bin/webctl",))
    assert "/usr/sbin/web" in contents.rootfs
    assert contents.notes == []


def test_a_script_that_configuration_names_has_its_interpreter_and_its_library(tree: Path) -> None:
    write(tree, "usr/share/web/make.pl", "#!/usr/bin/perl\nuse strict;\n", 0o755)
    write(tree, CONFIG, 'include_shell "/usr/share/web/make.pl"\n')
    [note] = filled(tree).notes
    assert note.startswith("/etc/web/web.conf names /usr/share/web/make.pl, a script of /usr/bin/p")
    assert note.endswith('write packages = ["web", "perl"]')

    (tree / "usr/bin").mkdir()
    program(tree / "usr/bin/perl")
    write(tree, "usr/share/perl/5.40/strict.pm", "1;\n")
    contents = filled(tree)
    assert contents.notes == []
    assert "/usr/bin/perl" in contents.rootfs
    assert "/usr/share/perl/5.40/strict.pm" in contents.rootfs


def test_a_packages_script_as_the_command_has_its_language(tree: Path) -> None:
    write(tree, "usr/bin/app", "#!/usr/bin/python3\nimport os\n", 0o755)
    write(tree, "usr/lib/python3.13/os.py", "")
    write(tree, "usr/lib/python3/dist-packages/app.py", "")
    program(tree / "usr/bin/python3")
    contents = filled(tree, command=("/usr/bin/app",))
    assert "/usr/lib/python3.13/os.py" in contents.rootfs
    assert "/usr/lib/python3/dist-packages/app.py" in contents.rootfs


def test_links_that_package_scripts_would_make_are_told(tree: Path) -> None:
    write(tree, "etc/web/mods-available/a.load", "")
    write(tree, "etc/web/sites-available/000-default.conf", "")
    [note] = filled(tree).notes
    assert "/etc/web/mods-enabled, /etc/web/sites-enabled has no links" in note
    link = "../sites-available/000-default.conf"
    assert note.endswith(f'links = {{ "/etc/web/sites-enabled/000-default.conf" = "{link}" }}')
    links = {"/etc/web/mods-enabled/a.load": "x", "/etc/web/sites-enabled/s": "x"}
    assert filled(tree, links=links).notes == []
