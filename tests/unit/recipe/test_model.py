"""Recipes as people write them, and what they are told when they get one wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro import recipe
from nitro.errors import InputError
from nitro.ports import Port


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "test.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", recipe.names())
def test_shipped_recipes_are_sound(name: str) -> None:
    found = recipe.load(name)
    assert found.name == name
    assert found.description
    for file in (*found.programs, *found.files):
        assert file.source.startswith("/") or (found.folder / file.source).exists()


def test_names_of_what_ships() -> None:
    assert {"bench", "client", "hello", "httpd"} <= set(recipe.names())


def test_smallest_recipe(tmp_path: Path) -> None:
    found = recipe.load(written(tmp_path, 'programs = ["server"]'))
    assert found.name == "test"
    assert found.argv == ("/usr/bin/server",)
    assert found.folder == tmp_path
    assert found.suite == "trixie"
    assert found.on_exit == "poweroff"
    assert found.extras == recipe.DEFAULT_EXTRAS


def test_every_key(tmp_path: Path) -> None:
    found = recipe.load(
        written(
            tmp_path,
            """
            name = "all"
            description = "everything"
            architecture = "x86_64"
            suite = "bookworm"
            boot_mode = "uefi-preferred"
            packages = ["redis-server"]
            programs = ["/usr/bin/redis-server", { source = "tool", path = "/opt/tool" }]
            files = [{ source = "/etc/hosts", from = "host", mode = "0644" }]
            libraries = ["libnss_files.so.2"]
            sysroot = "root"
            command = ["/usr/bin/redis-server", "--port", "1"]
            env = { LANG = "C.UTF-8" }
            ports = [6379, "tcp:80", "udp:53"]
            driver = "kernel"
            minimum_memory_mib = 512
            extras = ["passwd", "tzdata"]
            on_exit = "restart"
            tags = { team = "network" }
            """,
        )
    )
    assert found.tcp_ports == (6379, 80)
    assert found.ports == (Port("tcp", 6379), Port("tcp", 80), Port("udp", 53))
    assert found.model_dump(mode="json")["ports"] == [6379, 80, "udp:53"]
    assert found.programs[0].target == "/usr/bin/redis-server"
    assert found.programs[1].target == "/opt/tool"
    assert found.files[0].origin == "host"
    assert found.env == {"LANG": "C.UTF-8"}


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("a = " + "[" * 5000, "recursion", "TOML"),
        ("programs = [", "test.toml", "fix the TOML syntax"),
        ('comand = ["/x"]', "unknown key 'comand'", "known keys: name"),
        ('folder = "/"', "unknown key 'folder'", "remove it"),
        ('file = "/"', "unknown key 'file'", "remove it"),
        ('[[files]]\nsource = "a"\nto = "/b"', "'files.0.to'", "source, path, from, mode"),
        ('files = [{ source = "a", path = "b" }]', "files.0.path", "docs/recipes.md"),
        ("command = []", "command: has nothing in it", "docs/recipes.md"),
        ('links = { a = "/b" }', "links.a: write an absolute path", "docs/recipes.md"),
        ('user = "a b"', "'a b' is not the name or number of a user", "docs/recipes.md"),
        (
            'files = [{ source = "a", mode = "rwx" }]',
            "files.0.mode: 'rwx' is not an octal",
            "docs/recipes.md",
        ),
        ('files = [{ source = "" }]', "files.0.source", "docs/recipes.md"),
        ('command = ["/x"]\nuser = "A B"', "user: 'A B' is not", "docs/recipes.md"),
        ("", "no command", 'add command = ["/usr/bin/'),
        ("command = []", "command", "docs/recipes.md"),
        ('command = ["/x"]\nports = [0]', "ports.0: 0 is not a port", "docs/recipes.md"),
        ('command = ["/x"]\nports = "80"', "ports: Input should be a list", "docs/recipes.md"),
        ('command = ["/x"]\nports = ["sctp:1"]', "'sctp:1' is not a port", "docs/recipes.md"),
        ('command = ["/x"]\nname = "Ä"', "name: 'Ä' is not a name of a-z", "docs/recipes.md"),
        ('command = ["/x"]\narchitecture = "arm64"', "architecture", "docs/recipes.md"),
        (
            'command = ["/x"]\nnic = "stock"',
            "the key 'nic' is called 'driver' now",
            'driver = "kernel"',
        ),
        ('command = ["/x"]\npackages = ["-oA=b"]', "packages.0", "docs/recipes.md"),
        (
            'command = ["/x"]\npackages = ["a/stable"]',
            "'a/stable' is not the name of a Debian",
            "docs/recipes.md",
        ),
        ('command = ["/x"]\nextras = ["magic"]', "extras.0", "docs/recipes.md"),
        ('command = ["/x"]\nenv = { "A-B" = "1" }', "'A-B' is not the name", "docs/recipes.md"),
        (
            'command = ["/x"]\nminimum_memory_mib = 99999999',
            "minimum_memory_mib",
            "docs/recipes.md",
        ),
        ("a." * 40_000 + "b = 1", "larger than 64 KiB", "fix the TOML syntax"),
        ('command = ["/x"]\nminimum_memory_mib = "512"', "minimum_memory_mib", "docs/recipes.md"),
        ('command = ["/x"]\nminimum_memory_mib = 1', "minimum_memory_mib", "docs/recipes.md"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, text: str, what: str, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as raised:
        recipe.load(path)
    assert str(path) in raised.value.what
    assert what in raised.value.what
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("benhc", "recipes: bench"),
        ("./nothing", "check the path"),
        ("no.toml", "check the path"),
        ("redis:8", "write docker://redis:8 if"),
        ("https://example.com/app.toml", "download it"),
    ],
)
def test_recipe_that_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe.load(name)
    assert hint in (raised.value.hint or "")


def test_file_here_with_a_name_like_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes").write_text("no program")
    with pytest.raises(InputError) as raised:
        recipe.load("notes")
    assert raised.value.hint == "write ./notes if you mean the file here"


def test_program_is_its_own_recipe() -> None:
    made = recipe.for_program(
        Path(sys.executable),
        ports=[Port("tcp", 8080)],
        env={"A": "1"},
        arguments=["-m", "http.server"],
    )
    name = Path(sys.executable).name
    assert made.argv == (f"/usr/bin/{name}", "-m", "http.server")
    assert made.ports == (Port("tcp", 8080),)
    assert made.on_exit == "restart"
    assert made.programs[0].origin == "host"
    assert recipe.load(sys.executable).on_exit == "poweroff"


def test_name_of_a_program_becomes_one_that_recipes_may_have(tmp_path: Path) -> None:
    path = tmp_path / "My Server_2"
    path.write_text("#!/bin/sh\n")
    assert recipe.for_program(path).name == "my-server-2"


def test_data_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("no program")
    with pytest.raises(InputError, match="data: not a program"):
        recipe.for_program(path)


@pytest.mark.extended
@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text)
    with pytest.raises(InputError):
        recipe.load(path)


def test_a_program_that_is_meant_to_end_is_not_started_again(tmp_path: Path) -> None:
    text = 'programs = ["job"]\nservice = false\n'
    assert not recipe.load(written(tmp_path, text)).service
    with pytest.raises(InputError, match=r"test\.toml: service = false: .* on_exit = \"poweroff\""):
        recipe.load(written(tmp_path, text + 'on_exit = "restart"\n'))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Dockerfile", "is neither a recipe nor a program"),
        ("project", "is a folder without a recipe.toml"),
    ],
)
def test_a_project_is_no_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "project").mkdir()
    for place in (name, f"./{name}"):
        with pytest.raises(InputError, match=what) as raised:
            recipe.load(place)
        assert raised.value.hint
