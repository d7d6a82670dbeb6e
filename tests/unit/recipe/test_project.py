"""A folder looked at, and the recipe that comes of it: every one can be loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nitro import recipe
from nitro.recipe import project

ELF = b"\x7fELF"


def written(folder: Path) -> recipe.Recipe:
    path = folder / "project.toml"
    path.write_text(project.recipe_for(folder))
    return recipe.load(path)


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (("pyproject.toml", "main.py"), ("/usr/bin/python3.13", "main.py")),
        (("requirements.txt", "odd.py"), ("/usr/bin/python3.13", "odd.py")),
        (("package.json", "server.js"), ("/usr/bin/node", "server.js")),
        (("Gemfile", "app.rb"), ("/usr/bin/ruby3.3", "app.rb")),
        (("index.php",), ("/usr/bin/php8.4", "-S", "0.0.0.0:8080", "-t", "/app")),
        (("cpanfile", "app.pl"), ("/usr/bin/perl", "app.pl")),
    ],
)
def test_projects_of_runtimes(tmp_path: Path, files: tuple[str, ...], command: tuple[str, ...]):
    for name in files:
        (tmp_path / name).write_text("{}" if name.endswith("json") else "")
    found = written(tmp_path)
    assert found.argv == command
    assert found.files[-1].target == "/app"
    assert found.working_directory == "/app"


def test_a_jar_where_maven_puts_it(tmp_path: Path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target/app.jar").touch()
    (tmp_path / "pom.xml").touch()
    assert written(tmp_path).argv[1:] == ("-jar", "target/app.jar")


def test_what_package_json_starts(tmp_path: Path):
    (tmp_path / "package.json").write_text('{"main": "lib/start.js"}')
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/start.js").touch()
    assert written(tmp_path).argv == ("/usr/bin/node", "lib/start.js")


@pytest.mark.parametrize(
    ("mark", "place"), [("go.mod", "server"), ("Cargo.toml", "target/release/x")]
)
def test_compiled_programs(tmp_path: Path, mark: str, place: str):
    (tmp_path / mark).touch()
    text = project.recipe_for(tmp_path)
    assert "It is not built yet: " in text
    program = tmp_path / place
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_bytes(ELF)
    program.chmod(0o755)
    assert written(tmp_path).programs[0].source == place


def test_a_dockerfile_is_built_by_docker(tmp_path: Path):
    (tmp_path / "Dockerfile").touch()
    assert written(tmp_path).base == f"docker-archive:{tmp_path.name.lower()}.tar"


def test_a_virtual_environment(tmp_path: Path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    base = tmp_path / "python"
    for path in (f"bin/python{version}", f"lib/python{version}/os.py"):
        (base / path).parent.mkdir(parents=True)
        (base / path).touch()
    app = tmp_path / "app"
    (app / ".venv/bin").mkdir(parents=True)
    (app / ".venv/pyvenv.cfg").write_text(f"home = {base}/bin\nversion = {version}.2\n")
    (app / "app.py").touch()
    found = written(app)
    assert found.argv == (str(app / ".venv/bin/python"), "app.py")
    assert found.working_directory == "/app"
    assert not found.packages
    assert "/.venv/" in found.exclude


def test_what_a_python_project_requires_is_no_package_of_debians(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text("flask\n")
    text = project.recipe_for(tmp_path)
    assert "python3 -m venv .venv" in text
    assert written(tmp_path).argv[-1] == "app.py"


def test_django_is_started_by_its_own_script(tmp_path: Path):
    (tmp_path / "manage.py").touch()
    assert written(tmp_path).argv[-4:] == ("manage.py", "runserver", "0.0.0.0:8080", "--noreload")


def test_a_folder_of_nothing_known_gets_an_example(tmp_path: Path):
    assert written(tmp_path).packages == ("busybox-static",)


def test_every_line_says_why_it_stands(tmp_path: Path):
    (tmp_path / "app.py").touch()
    text = project.recipe_for(tmp_path)
    assert "come from Debian" in text
    assert "goes to /app" in text
    assert "listens on" in text


@pytest.mark.parametrize("file", ["package.json", "go.mod", "main.py"])
def test_a_program_that_takes_its_port_from_the_environment_has_the_recipes(
    tmp_path: Path, file: str
) -> None:
    (tmp_path / file).write_text("{}")
    recipe = written(tmp_path)
    assert recipe.env["PORT"] == str(recipe.tcp_ports[0])
