"""From a recipe to what the guest has: sources, interpreters, settings, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nitro.debian import Tree
from nitro.errors import InputError
from nitro.image.contents import Contents
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import File, Recipe, for_script
from tests.unit.image import elves


def filled(
    folder: Path, packages: Path | None = None, supplied: Sequence[str] = ("/bin/sh",), **keys: Any
) -> dict[str, Node]:
    recipe = Recipe(name="test", folder=folder, **keys)
    rootfs = Rootfs()
    tree = Tree(packages, ()) if packages else None
    Contents(recipe, tree, rootfs, supplied.__contains__).add()
    return rootfs.nodes


def test_program_of_the_folder(tmp_path: Path) -> None:
    program = elves.write(tmp_path / "server")
    nodes = filled(tmp_path, programs=[{"source": "server"}])
    assert nodes["/usr/bin/server"].source == program
    assert nodes["/usr/bin/server"].layer == "program"
    assert nodes["/usr/bin/server"].mode == 0o755


def test_a_program_has_the_mode_that_the_recipe_gives(tmp_path: Path) -> None:
    elves.write(tmp_path / "server")
    nodes = filled(tmp_path, programs=[{"source": "server", "mode": "4750"}])
    assert nodes["/usr/bin/server"].mode == 0o4750


def test_program_of_the_packages_brings_its_libraries(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/redis", needed=["liba.so"])
    elves.write(tree / "usr/lib/liba.so")
    nodes = filled(tmp_path, tree, programs=[{"source": "/usr/bin/redis"}])
    assert {"/usr/bin/redis", "/usr/lib/liba.so"} <= set(nodes)
    assert nodes["/usr/lib/liba.so"].layer == "packages"


def test_host_is_asked_for_by_name_where_there_are_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/other")
    elves.write(tmp_path / "root/srv/own")
    with pytest.raises(InputError, match=r"/srv/own is not in the recipe's packages"):
        filled(tmp_path, tree, programs=[{"source": "/srv/own"}])
    own = {"source": "/srv/own", "from": "host"}
    assert "/srv/own" in filled(tmp_path, tree, programs=[own], sysroot="root")


def test_sysroot_plays_the_host(tmp_path: Path) -> None:
    elves.write(tmp_path / "root/usr/bin/server", needed=["liba.so"])
    elves.write(tmp_path / "root/usr/lib/liba.so")
    nodes = filled(tmp_path, programs=[{"source": "/usr/bin/server"}], sysroot="root")
    assert "/usr/lib/liba.so" in nodes


def test_script_brings_its_interpreter(tmp_path: Path) -> None:
    elves.write(tmp_path / "root/usr/bin/python3", needed=["liba.so"])
    elves.write(tmp_path / "root/usr/lib/liba.so")
    (tmp_path / "script").write_text("#!/usr/bin/env python3\n")
    program = {"source": "script"}
    nodes = filled(tmp_path, supplied=["/usr/bin/env"], programs=[program], sysroot="root")
    assert {"/usr/bin/script", "/usr/bin/python3", "/usr/lib/liba.so"} <= set(nodes)


def test_interpreter_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/opt/lua -x\n")
    with pytest.raises(InputError, match=r"/opt/lua, the interpreter of /usr/bin/script"):
        filled(tmp_path, programs=[{"source": "script"}], sysroot=".")


def test_the_program_that_only_the_command_names_comes_from_the_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/redis", needed=["liba.so"])
    elves.write(tree / "usr/lib/liba.so")
    nodes = filled(tmp_path, tree, command=["/usr/bin/redis", "--port", "1"])
    assert {"/usr/bin/redis", "/usr/lib/liba.so"} <= set(nodes)


def test_the_files_come_before_the_packages_for_the_command(tmp_path: Path) -> None:
    elves.write(tmp_path / "tree/app/server")
    own = elves.write(tmp_path / "own/server")
    files = [{"source": "own", "path": "/app"}]
    nodes = filled(tmp_path, tmp_path / "tree", files=files, command=["/app/server"])
    assert nodes["/app/server"].source == own


def test_a_script_among_the_files_brings_its_interpreter_when_it_is_the_command(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/python3")
    script = tmp_path / "app/run"
    script.parent.mkdir()
    script.write_text("#!/usr/bin/python3\n")
    keys: dict[str, Any] = {"files": [{"source": "app", "path": "/app"}], "command": ["/app/run"]}
    with pytest.raises(InputError, match="/app/run is not executable"):
        filled(tmp_path, tree, **keys)
    script.chmod(0o755)
    assert "/usr/bin/python3" in filled(tmp_path, tree, **keys)
    script.write_text("#!/usr/bin/lua\n")
    with pytest.raises(InputError, match="/usr/bin/lua, the interpreter of /app/run, is missing"):
        filled(tmp_path, tree, **keys)
    own = elves.write(tmp_path / "lua")
    files = [*keys["files"], {"source": "lua"}]
    assert filled(tmp_path, tree, **{**keys, "files": files})["/usr/bin/lua"].source == own


def test_a_command_is_executable_whose_mode_the_recipe_gives(tmp_path: Path) -> None:
    elves.write(tmp_path / "tree/usr/bin/python3")
    (tmp_path / "run").write_text("#!/usr/bin/python3\n")
    files = [{"source": "run", "path": "/app/run", "mode": "0755"}]
    nodes = filled(tmp_path, tmp_path / "tree", files=files, command=["/app/run"])
    assert nodes["/app/run"].mode == 0o755


@pytest.mark.parametrize(
    "keys",
    [
        {"programs": [{"source": "/usr/bin/nginx"}]},
        {"programs": [{"source": "nginx"}]},
        {"command": ["nginx", "-g"]},
        {"command": ["/bin/nginx"]},
    ],
)
def test_a_name_that_the_packages_have_elsewhere_is_told(
    tmp_path: Path, keys: dict[str, Any]
) -> None:
    elves.write(tmp_path / "tree/usr/sbin/nginx")
    with pytest.raises(InputError) as raised:
        filled(tmp_path, tmp_path / "tree", **{"command": ["/bin/sh"], **keys})
    assert raised.value.hint == "did you mean /usr/sbin/nginx?"


def test_plugins_in_a_folder_bring_what_they_need(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/lib/py/dynload/_ssl.so", needed=["libssl.so"])
    elves.write(tree / "usr/lib/libssl.so")
    nodes = filled(tmp_path, tree, files=[{"source": "/usr/lib/py"}], command=["/bin/sh"])
    assert {"/usr/lib/py/dynload/_ssl.so", "/usr/lib/libssl.so"} <= set(nodes)


def test_unwinder_comes_with_glibc(tmp_path: Path) -> None:
    root = tmp_path / "root"
    elves.write(root / "usr/bin/server", needed=["libc.so.6"])
    elves.write(root / "usr/lib/libc.so.6")
    programs = [{"source": "/usr/bin/server"}]
    assert "/usr/lib/libgcc_s.so.1" not in filled(tmp_path, programs=programs, sysroot="root")
    elves.write(root / "usr/lib/libgcc_s.so.1")
    assert "/usr/lib/libgcc_s.so.1" in filled(tmp_path, programs=programs, sysroot="root")


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"command": ["/usr/bin/none"]}, "command: /usr/bin/none is not in the image"),
        ({"command": ["none"]}, "command: none is not in the image"),
        ({"programs": [{"source": "gone"}]}, "gone does not exist"),
        ({"programs": [{"source": "/gone"}]}, "/gone is not on this machine"),
        ({"files": [{"source": "/x", "from": "package"}]}, "the recipe has no packages"),
        ({"programs": [{"source": "."}]}, "is not a program"),
        ({"files": [{"source": "/dev/zero"}]}, "/dev/zero is not a file or a folder"),
        ({"programs": [{"source": "text"}]}, "text: not a program"),
        ({"programs": [{"source": "arm"}]}, "arm is for aarch64"),
        ({"programs": [{"source": "object"}]}, "object is not an executable"),
        ({"programs": [{"source": "torn"}]}, "torn: not an ELF file that can be read"),
        (
            {"libraries": ["libgone.so.1"]},
            "libgone.so.1, which the key libraries of test needs, is not on this machine",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, keys: dict[str, Any], what: str) -> None:
    (tmp_path / "text").write_text("no program")
    elves.write(tmp_path / "arm", machine=183)
    whole = elves.write(tmp_path / "object").read_bytes()
    (tmp_path / "object").write_bytes(whole[:16] + b"\1" + whole[17:])  # as a compiler leaves it
    (tmp_path / "torn").write_bytes(whole[:10])
    with pytest.raises(InputError) as raised:
        filled(tmp_path, **{"command": ["/bin/sh"], **keys})
    assert what in raised.value.what
    assert raised.value.hint


def test_what_the_kernel_supplies_is_left_out(tmp_path: Path) -> None:
    elves.write(
        tmp_path / "root/usr/bin/server", needed=["libc.so.6", "liba.so"], interpreter="/lib/ld.so"
    )
    elves.write(tmp_path / "root/usr/lib/liba.so", needed=["libc.so.6"])
    nodes = filled(
        tmp_path,
        supplied=["libc.so.6", "/lib/ld.so"],
        programs=[{"source": "/usr/bin/server"}],
        sysroot="root",
    )
    files = {path for path, node in nodes.items() if node.source is not None}
    assert files == {"/usr/bin/server", "/usr/lib/liba.so"}


def notes(folder: Path, packages: Path, source: str) -> list[str]:
    document = {
        "name": "test",
        "folder": folder,
        "packages": ["app"],
        "files": [source],
        "command": ["/bin/sh"],
    }
    recipe = Recipe.model_validate(document)
    contents = Contents(recipe, Tree(packages, ()), Rootfs(), lambda name: name == "/bin/sh")
    contents.add()
    return contents.notes


def test_a_plugin_finds_its_library_beside_the_program_that_loads_it(tmp_path: Path) -> None:
    elves.write(tmp_path / "usr/lib/jvm/lib/libattach.so", needed=["libjvm.so"])
    elves.write(tmp_path / "usr/lib/jvm/lib/server/libjvm.so")
    assert notes(tmp_path, tmp_path, "/usr/lib/jvm") == []


def test_what_only_a_plugin_lacks_is_said_and_what_a_program_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.image.contents.package_of", lambda soname, *_: soname[:4] + "3")
    elves.write(tmp_path / "usr/lib/app/plugin.so", needed=["liba.so"])
    elves.write(tmp_path / "usr/bin/app", needed=["libb.so"])
    assert notes(tmp_path, tmp_path, "/usr/lib/app") == [
        "/usr/lib/app/plugin.so will not load: liba.so is missing; "
        'write packages = ["app", "liba3"]'
    ]
    with pytest.raises(InputError, match=r'libb\.so.*write packages = \["libb3"\]'):
        filled(tmp_path, tmp_path, programs=[{"source": "/usr/bin/app"}])


def test_a_program_that_package_scripts_would_have_linked(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("php8.2", "php8.4", "phpize"):
        elves.write(tree / f"usr/bin/{name}")
    with pytest.raises(InputError, match=r"did you mean /usr/bin/php8\.4\?"):
        filled(tmp_path, tree, programs=[{"source": "/usr/bin/php"}])


def test_links_of_the_packages_bring_what_they_lead_to(tmp_path: Path) -> None:
    """As Debian has it: a web framework links the scripts of other packages into its own folder."""
    tree = tmp_path / "tree"
    (tree / "usr/share/perl5/public").mkdir(parents=True)
    for link, target in (
        ("script.js", "../../javascript/a/script.js"),
        ("folder", "/usr/share/javascript/b"),
        ("made-later", "/etc/alternatives/x"),
        ("manual", "/usr/share/doc/a"),
        ("circle", "circle"),
    ):
        (tree / "usr/share/perl5/public" / link).symlink_to(target)
    for path in ("javascript/a/script.js", "javascript/a/other.js", "doc/a"):
        (tree / "usr/share" / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / "usr/share" / path).write_text("")
    elves.write(tree / "usr/share/javascript/b/addon.node", needed=["liba.so"])
    (tree / "usr/share/javascript/b/again").symlink_to("../c")
    (tree / "usr/share/javascript/c").write_text("")
    elves.write(tree / "usr/lib/liba.so")
    elves.write(tree / "usr/bin/perl")
    keys: dict[str, Any] = {"files": [{"source": "/usr/share/perl5"}], "command": ["/usr/bin/perl"]}
    nodes = filled(tmp_path, tree, **keys)
    shared = "/usr/share/javascript"
    assert {f"{shared}/a/script.js", f"{shared}/b/addon.node", f"{shared}/c"} <= set(nodes)
    assert "/usr/lib/liba.so" in nodes
    assert f"{shared}/a/other.js" not in nodes
    assert not {"/etc/alternatives/x", "/usr/share/doc/a"} & set(nodes)


def test_a_program_by_a_link_from_another_folder_finds_its_own_files(tmp_path: Path) -> None:
    """As Java does, and what update-alternatives leads to."""
    tree = tmp_path / "tree"
    elves.write(tree / "usr/lib/jvm/bin/java", needed=["libjli.so"], runpath="$ORIGIN/../lib")
    elves.write(tree / "usr/lib/jvm/lib/libjli.so")
    elves.write(tree / "usr/bin/python3.13")
    (tree / "usr/bin/java").symlink_to("/usr/lib/jvm/bin/java")
    (tree / "usr/bin/python3").symlink_to("python3.13")
    nodes = filled(tmp_path, tree, programs=[{"source": "/usr/bin/java"}])
    assert nodes["/usr/bin/java"].target == "/usr/lib/jvm/bin/java"
    assert {"/usr/lib/jvm/bin/java", "/usr/lib/jvm/bin/../lib/libjli.so"} & set(nodes)
    beside = filled(tmp_path, tree, programs=[{"source": "/usr/bin/python3"}])
    assert beside["/usr/bin/python3"].target is None


def test_an_optional_folder_may_be_missing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/perl")
    files = [{"source": "/usr/share/perl5", "optional": True}]
    keys: dict[str, Any] = {"files": files, "command": ["/usr/bin/perl"]}
    assert "/usr/share/perl5" not in filled(tmp_path, tree, **keys)
    (tree / "usr/share/perl5").mkdir(parents=True)
    assert "/usr/share/perl5" in filled(tmp_path, tree, **keys)
    elves.write(tmp_path / "server")
    nowhere = [{"source": "/x", "from": "package", "optional": True}]
    with pytest.raises(InputError, match="the recipe has no packages"):
        filled(tmp_path, programs=[{"source": "server"}], files=nowhere)


def test_an_environment_in_a_projects_folder_is_taken_whole(tmp_path: Path) -> None:
    interpreter = elves.write(tmp_path / "python/bin/python3.11")
    (tmp_path / "python/lib/python3.11").mkdir(parents=True)
    (tmp_path / "python/lib/python3.11/os.py").touch()
    project = tmp_path / "project"
    for path in (".venv/bin/flask", ".venv/lib/python3.11/site-packages/flask.py", "app.py"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).touch()
    (project / ".venv/pyvenv.cfg").write_text(f"home = {interpreter.parent}\nversion = 3.11.2\n")
    (project / ".venv/bin/python3").symlink_to(interpreter)
    (project / ".venv/bin/python").symlink_to("python3")
    made = for_script(project / "app.py")
    rootfs = Rootfs()
    Contents(made, None, rootfs, lambda _: False).add()
    inside = {path.removeprefix(f"{project}/") for path in rootfs.nodes}
    assert {".venv/bin/python", ".venv/bin/flask", ".venv/pyvenv.cfg"} <= inside
    assert ".venv/lib/python3.11/site-packages/flask.py" in inside
    assert "/app/app.py" in rootfs.nodes
    assert not [path for path in rootfs.nodes if path.startswith("/app/.venv")]


def test_a_script_that_is_not_there_is_said_at_build(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    elves.write(tree / "usr/bin/node")
    (tmp_path / "server.js").touch()
    keys: dict[str, Any] = {
        "runtime": "node",
        "files": [{"source": "server.js", "path": "/app/server.js"}],
        "working_directory": "/app",
    }
    for command in (["server.js"], ["/app/server.js"], ["-e", "1"], ["--version"]):
        filled(tmp_path, tree, command=["/usr/bin/node", *command], **keys)
    with pytest.raises(InputError, match=r"command: /app/sever\.js is not in the image"):
        filled(tmp_path, tree, command=["/usr/bin/node", "sever.js"], **keys)


def test_a_damaged_library_in_a_folder_is_a_note(tmp_path: Path) -> None:
    """As projects have among the samples of their tests; a damaged program is refused."""
    elves.write(tmp_path / "server")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/cut.so").write_bytes(b"\x7fELF\2\1")
    recipe = Recipe(
        name="test",
        folder=tmp_path,
        programs=(File(source="server"),),
        files=(File(source="samples", path="/app"),),
    )
    contents = Contents(recipe, None, Rootfs(), lambda _: False)
    contents.add()
    (note,) = contents.notes
    assert note.startswith("/app/cut.so will not load: ")
    with pytest.raises(InputError, match=r"cut\.so"):
        filled(tmp_path, programs=[{"source": "samples/cut.so"}])
