"""The key `runtime`, and scripts that need no recipe."""

from __future__ import annotations

import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro import recipe
from nitro.errors import InputError
from nitro.ports import Port
from nitro.recipe import runtime
from nitro.recipe.runtimes.base import Runtime

SCRIPTS = {
    "python": "app.py",
    "node": "server.js",
    "java": "app.jar",
    "ruby": "app.rb",
    "php": "page.php",
    "perl": "script.pl",
}


def loaded(folder: Path, text: str) -> recipe.Recipe:
    path = folder / "app.toml"
    path.write_text(text)
    return recipe.load(path)


@pytest.mark.parametrize(("name", "script"), SCRIPTS.items())
def test_two_lines_are_a_recipe(tmp_path: Path, name: str, script: str) -> None:
    found = loaded(tmp_path, f'runtime = "{name}"\nfiles = ["{script}"]\n')
    assert found.argv[-1] == f"/app/{script}"
    assert found.argv[0] == found.programs[0].target
    assert found.packages
    assert found.files[-1].target == f"/app/{script}"
    assert found.working_directory == "/app"


@pytest.mark.parametrize(("name", "script"), SCRIPTS.items())
def test_a_script_is_a_program(tmp_path: Path, name: str, script: str) -> None:
    (tmp_path / script).write_text("")
    if name == "java":
        jar(tmp_path / script, "Main-Class: Main\n")
    assert recipe.is_script(str(tmp_path / script))
    found = recipe.for_script(tmp_path / script, arguments=["-x"], ports=[Port("tcp", 8080)])
    assert found.argv[-2:] == (f"/app/{script}", "-x")
    assert found.ports == (Port("tcp", 8080),)
    assert found.on_exit == "restart"


@pytest.mark.parametrize("name", ["server.py", "notes.txt", "folder.py"])
def test_what_is_no_file_or_of_no_runtime_is_no_script(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match="not a script that nitro knows"):
        recipe.for_script(tmp_path / name)


def test_every_runtime_is_tried() -> None:
    found: dict[str, Runtime] = runtime.known()
    assert set(found) == set(SCRIPTS)


def test_own_keys_come_last_and_win(tmp_path: Path) -> None:
    text = (
        'runtime = "python3.13"\npackages = ["python3-flask"]\ncommand = ["-m", "flask", "run"]\n'
    )
    found = loaded(tmp_path, text + 'env = { PYTHONUNBUFFERED = "0" }\nuser = "app"\n')
    assert found.packages == ("python3", "python3-flask")
    assert found.argv == ("/usr/bin/python3.13", "-m", "flask", "run")
    assert found.env == {"PYTHONUNBUFFERED": "0"}


def test_words_for_the_virtual_machine(tmp_path: Path) -> None:
    home = "/usr/lib/jvm/java-25-openjdk-amd64/bin/java"
    found = loaded(tmp_path, 'runtime = "java25"\ncommand = ["-cp", "/app", "Main"]\n')
    assert found.argv == (home, "-cp", "/app", "Main")
    found = loaded(tmp_path, 'runtime = "java25"\ncommand = ["app.jar"]\nfiles = ["app.jar"]\n')
    assert found.argv == (home, "-jar", "app.jar")


def test_a_page_is_served(tmp_path: Path) -> None:
    (tmp_path / "index.php").write_text("")
    (tmp_path / "style.css").write_text("")
    found = recipe.for_script(tmp_path / "index.php")
    assert found.argv[1:] == ("-S", "0.0.0.0:80", "-t", "/app")
    assert found.ports == (Port("tcp", 80),)
    assert [file.target for file in found.files][-1] == "/app"
    other = recipe.for_script(tmp_path / "index.php", ports=[Port("tcp", 8080)])
    assert other.argv[2] == "0.0.0.0:8080"


def test_scripts_beside_a_script_are_taken_and_nothing_else(tmp_path: Path) -> None:
    for name in ("app.py", "helper.py", "secret.key"):
        (tmp_path / name).touch()
    files = {file.target for file in recipe.for_script(tmp_path / "app.py").files}
    assert {"/app/app.py", "/app/helper.py"} <= files
    assert not any("secret" in file for file in files)


def test_a_virtual_environment_is_taken_with_its_interpreter(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    base = tmp_path / "python"
    for path in (f"bin/python{version}", f"lib/python{version}/os.py"):
        (base / path).parent.mkdir(parents=True)
        (base / path).touch()
    project = tmp_path / "project"
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").write_text(f"home = {base}/bin\nversion = {version}.2\n")
    (project / ".venv/bin/python").symlink_to(base / f"bin/python{version}")
    (project / "app.py").touch()
    found = recipe.for_script(project / "app.py")
    assert not found.packages
    assert found.argv == (str(project / ".venv/bin/python"), "/app/app.py")
    sources = {file.source for file in found.files}
    assert {str(base / f"lib/python{version}"), str(project / ".venv")} <= sources
    recipe_file = project / "web.toml"
    recipe_file.write_text('runtime = "python"\nenvironment = ".venv"\nfiles = ["app.py"]\n')
    named = recipe.load(recipe_file)
    assert named.argv == (str(project / ".venv/bin/python"), "/app/app.py")
    assert not named.packages
    recipe_file.write_text('runtime = "python"\nenvironment = "env"\nfiles = ["app.py"]\n')
    with pytest.raises(InputError, match="project/env is no virtual environment of python"):
        recipe.load(recipe_file)
    (project / "other").mkdir()
    beside = project / "other/web.toml"
    beside.write_text('runtime = "python"\nenvironment = "../.venv"\nfiles = ["../app.py"]\n')
    assert recipe.load(beside).argv[0] == str(project / ".venv/bin/python")
    beside.write_text('environment = ".venv"\nfiles = ["../app.py"]\n')
    with pytest.raises(InputError, match="environment is there without runtime"):
        recipe.load(beside)
    (base / f"lib/python{version}/os.py").unlink()
    with pytest.raises(InputError, match="the Python of this environment is not at"):
        recipe.for_script(project / "app.py")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"runtime": "cobol"}, "no runtime 'cobol'; runtimes: java, node, perl, php"),
        ({"runtime": "python2.7"}, "no python of version 2.7; Debian trixie has 3.13"),
        ({"runtime": "python", "suite": "sid"}, "no python is known of Debian sid"),
        ({"runtime": "ruby"}, "no command, and no .rb among files"),
        ({"runtime": "../x"}, "no runtime"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError) as caught:
        runtime.expand({"files": [], **keys})
    assert why in str(caught.value)


def jar(path: Path, manifest: str | None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Main.class", b"")
        if manifest is not None:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
    return path


@pytest.mark.parametrize("line", ["Main-Class: Main", "main-class: Main"])
def test_an_archive_with_a_main_class_is_run(tmp_path: Path, line: str) -> None:
    path = jar(tmp_path / "app.jar", f"Manifest-Version: 1.0\r\n{line}\r\n")
    assert recipe.for_script(path).argv[1:] == ("-jar", "/app/app.jar")


@pytest.mark.parametrize("manifest", [None, "", "Manifest-Version: 1.0\n", "X-Main-Class: Main\n"])
def test_an_archive_without_a_main_class_is_refused(tmp_path: Path, manifest: str | None) -> None:
    with pytest.raises(InputError, match="a Java archive without a Main-Class"):
        recipe.for_script(jar(tmp_path / "app.jar", manifest))


@given(st.integers(0, 200), st.binary(max_size=8))
def test_a_damaged_archive_is_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, data: bytes
) -> None:
    path = jar(tmp_path_factory.mktemp("jar") / "app.jar", "Main-Class: Main\n")
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + data)
    with pytest.raises(InputError, match="a Java archive"):
        recipe.for_script(path)
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    with suppress(InputError):
        recipe.for_script(path)
