"""Recipes at the edges of what each key, name and runtime takes."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nitro import recipe
from nitro.arch import X86_64
from nitro.errors import InputError
from nitro.ports import Port
from nitro.recipe import patterns, project, reference, runtime
from nitro.recipe.edit import Entry, toml, with_entries
from nitro.recipe.model import Recipe
from tests.said import Said
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.chdir(tmp_path)
    return Said(tmp_path)


def _dumped(found: Recipe) -> str:
    text = found.model_dump_json(exclude_defaults=True, by_alias=True)
    return f"{text} {found.folder} {found.file} {found.changed}"


def _load(text: str) -> str:
    Path("app.toml").write_text(text)
    try:
        return _dumped(recipe.load("app.toml"))
    except InputError as error:
        return f"{error.what} / {error.hint}"


KEYS = (
    *('name = "{}"'.format("n" * length) for length in (63, 64)),
    *(f'kernel = "{word}"' for word in ("osv", "osv:A.b_c-d", "osv:-", "o2:x", "2o")),
    *(f'packages = ["{word}"]' for word in ("a", "a+", "ab", "+a", "a.b-c+d")),
    *(f'suite = "{word}"' for word in ("sid", "a-b", "-a", "a1", "trixie-backports")),
    *(f'user = "{word}"' for word in ("_a", "a.b-c", "1234567890", "12345678901", "a:1", "a:")),
    *('user = "{}"'.format("u" * length) for length in (32, 33)),
    *(f'stop_signal = "{word}"' for word in ("A", "RTMIN+3", "A" * 12, "A" * 13, "9")),
    *(f'strace = "{word}"' for word in ("a", "a*", "*", "a_1", "1a")),
    *(
        f"minimum_memory_mib = {number}"
        for number in (64, 65, 32 << 20, (32 << 20) + 1, "true", "'64'")
    ),
    *(f'files = [{{ source = "a", mode = "{mode}" }}]' for mode in ("644", "4755", "44", "06444")),
    *(f"env = {{ {name} = 'x' }}" for name in ("_", "A1", "a", "'1A'", "'A-B'", "'Ä'")),
    *(f"links = {{ '{path}' = 'x' }}" for path in ("/", "/a", "a")),
    *(f"working_directory = '{path}'" for path in ("/", "/a b", "")),
    *(f"folders = [{{ path = '{path}', owner = 'a:b' }}]" for path in ("/", "a")),
    *(f"ports = [{port}]" for port in (1, 65535, 65536, "'udp:53'", "'tcp:80'", "'x'", "true")),
    *(f"service = false\non_exit = '{end}'" for end in ("poweroff", "restart")),
    *(f"{key} = 'x'" for key in ("folder", "file", "completed", "changed", "base", "nic")),
    *(f"{key} = []" for key in ("command", "setup", "programs", "ports", "extras", "files")),
    "command = ['a\\u0000']",
    'command = ["a\\u0000"]',
    "architecture = 'arm64'",
    "architecture = 'x86_64'",
    "programs = ['/usr/bin/x', { source = 'y', path = '/y' }]\nfiles = ['a']\nfolders = ['/b']",
    "tags = { a = 'b' }\ndescription = 'd'\nboot_mode = 'uefi'\nlaunch = 'static'",
    "programs = 1",
    "unknown = 1",
)


def test_keys(said: Said) -> None:
    for key in KEYS:
        text = key if key.startswith(("command", "programs")) else f'command = ["/x"]\n{key}'
        said(key, lambda text=text: _load(text))
    for size in (64 << 10, (64 << 10) + 1):
        said(f"{size} bytes", lambda size=size: _load('command = ["/x"]\n'.ljust(size, "#")))
    Path("app.toml").write_text("x = " + "[" * 20_000)
    with pytest.raises(InputError, match="fix the TOML syntax"):
        recipe.load("app.toml")
    Path("app.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="fix the TOML syntax"):
        recipe.load("app.toml")
    for word in (patterns.NAME, patterns.OWNER, patterns.OCTAL, "^x$"):
        said(word, lambda word=word: patterns.meant(word))
    for path, source in (("/p", "s"), (None, "/abs/s"), (None, "a/s")):
        file = recipe.File(source=source, path=path)
        said(f"{source} at {path}", lambda file=file: file.target)
    compare(HERE / "keys.txt", said.text.replace("n" * 60, "n…"))


def test_programs_and_scripts(said: Said) -> None:
    Path("lib").mkdir()
    for name, content in {
        "tool": b"\x7fELF",
        "My Tool_2.x": b"#!/bin/sh\n",
        "short": b"\x7fEL",
        "text": b"text",
        "tool.toml": b"\x7fELF",
    }.items():
        Path(name).write_bytes(content)
        said(f"{name} is a program", lambda name=name: recipe.is_program(name))
        keys: dict[str, Any] = {"arguments": ["-x"], "env": {"A": "b"}, "ports": [Port("udp", 53)]}
        said(name, lambda name=name: _dumped(recipe.for_program(Path(name))))
        said(
            f"{name} with all",
            lambda name=name, keys=keys: _dumped(
                recipe.for_program(Path(name), sysroot=Path("lib"), **keys)
            ),
        )
    for name in ("app.py", "index.php", "page.php", "server.js", "x.rb"):
        Path(name).touch()
        for ports in ((), (Port("tcp", 81), Port("udp", 5))):
            said(
                f"{name} {ports}",
                lambda name=name, ports=ports: _dumped(
                    recipe.for_script(Path(name), ports=ports, env={"A": "b"}, arguments=["-v"])
                ),
            )
    said(
        "scripts", lambda: [recipe.is_script(name) for name in ("app.py", "text", "none.py", "lib")]
    )
    manifests = {
        "good": b"Manifest-Version: 1.0\nMAIN-CLASS: A\n",
        "first": b"Main-Class: A",
        "none": b"X-Main-Class: A\n",
        "large": b"Main-Class: A\n".ljust((1 << 20) - 1),
        "larger": b"Main-Class: A\n".ljust(1 << 20),
    }
    for name, manifest in manifests.items():
        with zipfile.ZipFile(f"{name}.jar", "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
        said(f"{name}.jar", lambda name=name: recipe.for_script(Path(f"{name}.jar")).argv)
    with zipfile.ZipFile("empty.jar", "w"):
        pass
    said("empty.jar", lambda: recipe.for_script(Path("empty.jar")).argv)
    raw = Path("good.jar").read_bytes()
    for name, content in {"text": b"text", "cut": raw[:-9], "nothing": b""}.items():
        Path("bad.jar").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.jar: not a Java archive that can be read"):
            recipe.for_script(Path("bad.jar"))
        said(f"{name} is a script", lambda: recipe.is_script("bad.jar"))
    for name in ("docker://a/b:1", "oci:x", "docker-archive:x.tar.gz", "docker://A B", "x"):
        said(name, lambda name=name: _dumped(recipe.for_container(name, env={"A": "b"})))
        said(
            f"{name} with ports",
            lambda name=name: _dumped(recipe.for_container(name, ports=[Port("tcp", 1)])),
        )
    compare(HERE / "programs.txt", said.text)


def test_environments(said: Said, tmp_path: Path) -> None:
    base = tmp_path / "python/bin"
    (tmp_path / "python/lib/python3.11").mkdir(parents=True)
    base.mkdir()
    for name in ("python3.11", "python3"):
        (base / name).touch()
    library = tmp_path / "python/lib/python3.11/os.py"
    project_folder = tmp_path / "project"
    project_folder.mkdir()
    (project_folder / "app.py").touch()
    texts = {
        "whole": f"home = {base}\nversion = 3.11.2\n",
        "info": f"home={base}\nversion_info = 3.11.2.final\n",
        "no version": f"home = {base}\n",
        "odd version": f"home = {base}\nversion = x\n",
        "no home": "version = 3.11.2\n",
        "another version": f"home = {base}\nversion = 3.12.1\n",
    }
    for there in (False, True):
        if there:
            library.touch()
        for home in (".venv", "venv", "own"):
            (project_folder / home).mkdir(exist_ok=True)
            for name, text in texts.items():
                content = text.encode() + b"prompt = caf\xe9\n"
                (project_folder / home / "pyvenv.cfg").write_bytes(content)
                shown = f"{home} {name} {there}"
                said(shown, lambda: _dumped(recipe.for_script(project_folder / "app.py")))
                keys = f'runtime = "python"\nenvironment = "{home}"\ncommand = ["app.py"]\n'
                said(f"{shown}, by key", lambda keys=keys: _load_in(project_folder, keys))
            (project_folder / home / "pyvenv.cfg").unlink()
    (base / "python3.11").unlink()
    (project_folder / ".venv/pyvenv.cfg").write_text(texts["whole"])
    said("no interpreter", lambda: recipe.for_script(project_folder / "app.py").argv)
    said(
        "of node",
        lambda: _load_in(
            project_folder, 'runtime = "node"\nenvironment = ".venv"\ncommand = ["x"]\n'
        ),
    )
    compare(HERE / "environments.txt", said.text)


def _load_in(folder: Path, text: str) -> str:
    (folder / "app.toml").write_text(text)
    try:
        return _dumped(recipe.load(folder / "app.toml"))
    except InputError as error:
        return f"{error.what} / {error.hint}"


def test_runtimes(said: Said) -> None:
    for path in (
        "/usr/bin/python3",
        "/usr/bin/python3.13",
        "ruby",
        "/bin/sh",
        "/x/3",
        "nodejs",
        "perl",
    ):
        for suite in ("trixie", "bookworm", "sid"):
            said(f"{path} of {suite}", lambda p=path, s=suite: runtime.of_interpreter(p, s, X86_64))
    documents: dict[str, dict[str, Any]] = {
        "none": {"command": ["x"]},
        "an environment alone": {"environment": "x"},
        "a number": {"runtime": 1},
        "no command": {"runtime": "python", "files": ["x.txt", {"source": "y.py"}]},
        "no script": {"runtime": "python", "files": ["x.txt", 1, {"path": 2}]},
        "no files": {"runtime": "python"},
        "an absolute word": {"runtime": "node", "command": ["/x", "y"]},
        "an option": {"runtime": "java", "command": ["-cp", "x"]},
        "a word": {"runtime": "java", "command": ["x"], "files": ["x"]},
        "no words": {"runtime": "java", "command": []},
        "a folder": {"runtime": "node", "command": ["x"], "files": [".", "./", "./a/", "/b"]},
        "its own folder": {
            "runtime": "node",
            "command": ["x"],
            "files": ["a"],
            "working_directory": "/w",
        },
        "lists": {
            "runtime": "php",
            "command": ["x"],
            "packages": ["p"],
            "programs": ["q"],
            "exclude": ["e"],
            "env": {"A": "b"},
        },
        "a version": {"runtime": "java25", "command": ["x"]},
        "another version": {"runtime": "java99", "command": ["x"]},
        "a version of another suite": {"runtime": "java17", "suite": "bookworm", "command": ["x"]},
        "a suite of none": {"runtime": "java", "suite": "sid", "command": ["x"]},
        "an odd name": {"runtime": "Java", "command": ["x"]},
        "an odd version": {"runtime": "java-21", "command": ["x"]},
    }
    for name, document in documents.items():
        said(name, lambda document=document: json.dumps(runtime.expand(document)))
    compare(HERE / "expanded.txt", said.text)


def test_names(said: Said, tmp_path: Path) -> None:
    for name in (
        *("docker://a:" + "t" * length for length in (128, 129)),
        *("docker://a@sha256:" + "0" * length for length in (63, 64, 65)),
        *(
            "docker://-a",
            "docker://a.b:1/c",
            "docker://a:x/c",
            "docker://a//b",
            "docker:a",
            "docker:",
        ),
        *("docker://a:_t", "docker://a:-t", "docker://a:1:2@sha256:" + "a" * 64, "docker://A/b"),
        *(
            "oci:a",
            "oci:a:",
            "oci::a",
            "oci:a:b:c",
            "oci:there:x",
            "docker-archive:/x/y.tar:n:t",
            "ocix:a",
        ),
    ):
        said(name, lambda name=name: repr(reference.parse(name, tmp_path)))
        said(f"{name} is one", lambda name=name: reference.is_reference(name))
    (tmp_path / "there:x").mkdir()
    said("oci:there:x", lambda: repr(reference.parse("oci:there:x", tmp_path)))
    for name in (
        "docker://h:1/a/redis:8",
        "oci:/x/app.tar.gz",
        "docker-archive:a/b.tar.gz",
        "oci:x.tar",
    ):
        said(f"short {name}", lambda name=name: reference.parse(name).short_name)
    said(
        "words",
        lambda: [recipe.name_from(word) for word in ("a" * 63, "b" * 64, "-.x.-", "_", "A B")],
    )
    compare(HERE / "references.txt", said.text)


def test_entries(said: Said) -> None:
    entries: list[str | Entry] = ['quo"te', ("é", "/y")]
    said("toml", lambda: toml(entries))
    for text in (
        'files=["a"]\n',
        "files = [   \n]",
        'x = 1\n\n\n[t]\na = 1\n[[t2]]\nfiles = ["b"]\n',
        '[[files]]\nsource = "a"\n\n[[files]]\nsource = "b"\n\n\n',
        'files = "a"\n',
        "files = [1]\n",
        'other_files = ["x"]\n',
        "files = [\n",
        'x = """\n[\n"""\n',
    ):
        said(f"{text!r}", lambda text=text: with_entries(text, "files", entries))
        said(f"{text!r} packages", lambda text=text: with_entries(text, "packages", ["p"]))
    compare(HERE / "entries.txt", said.text)


def test_programs_of_projects(said: Said, tmp_path: Path) -> None:
    """The newest program is taken; of two alike the first by name."""
    for name in ("go", "rust", "plain"):
        folder = tmp_path / name
        place = folder / "target/release" if name == "rust" else folder
        place.mkdir(parents=True)
        if name != "plain":
            (folder / ("go.mod" if name == "go" else "Cargo.toml")).touch()
        said(f"{name} without", lambda folder=folder: project.recipe_for(folder))
        for number, (tool, mode) in enumerate(
            (("b", 0o755), ("a", 0o755), ("c", 0o644), ("d.sh", 0o755))
        ):
            (place / tool).write_bytes(b"#!/bin/sh" if tool == "d.sh" else b"\x7fELF")
            (place / tool).chmod(mode)

            os.utime(place / tool, (9, 9) if number < 2 else (99, 99))
        said(name, lambda folder=folder: project.recipe_for(folder))
        os.utime(place / "b", (10, 10))
        said(f"{name}, b newer", lambda folder=folder: project.recipe_for(folder))
    java = tmp_path / "java"
    for built in ("target", "build/libs"):
        (java / built).mkdir(parents=True)
        (java / built / f"{built[:1]}.jar").touch()
    said("java", lambda: project.recipe_for(java))
    (java / "app.jar").touch()
    said("java with one here", lambda: project.recipe_for(java))
    node = tmp_path / "node"
    node.mkdir()
    (node / "index.js").touch()
    for main in ('{"main": "index.js"}', '{"main": "gone.js"}', '{"main": 1}', "[]", "{", "null"):
        (node / "package.json").write_text(main)
        said(main, lambda: project.recipe_for(node).splitlines()[-4])
    compare(HERE / "built.txt", said.text)
