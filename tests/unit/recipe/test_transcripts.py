"""What recipes become: those that ship, those for scripts and projects, and what is wrong with
others."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nitro import recipe
from nitro.errors import InputError
from nitro.ports import Port
from nitro.recipe import Recipe, project, reference, runtime
from nitro.recipe.edit import Entry, with_entries
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"
COMMAND, OPTION, OWN = (f"command = [{words}]\n" for words in ("'x'", "'-x', 'y'", "'/usr/bin/y'"))
FROM = "from = 'docker://x'\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _shown(found: Recipe) -> str:
    """The keys that are not as in an empty recipe, and what follows from them."""
    keys = json.loads(found.model_dump_json(exclude_defaults=True, by_alias=True))
    text = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in keys.items())
    derived = [f"{found.arch.ec2} {found.flavour}", *found.argv] if found.base is None else []
    places = [one.target for one in (*found.programs, *found.files)]
    return f"{text}  → {' '.join(derived)}; {' '.join(places)}; TCP {found.tcp_ports}\n"


def _said(error: InputError) -> str:
    here = str(Path.cwd())
    return f"  {error.what}\n    {error.hint}\n".replace(f"{here}/", "").replace(here, ".")


def _load(text: str) -> str:
    Path("app.toml").write_text(text)
    try:
        return _shown(recipe.load("app.toml"))
    except InputError as error:
        return _said(error)


def test_shipped_recipes() -> None:
    text = ""
    for name in recipe.names():
        text += f"{name}\n{_shown(recipe.load(name))}"
    for path in sorted((recipe.find("bench").parent / "examples").glob("*.toml")):
        text += f"{path.name}\n{_shown(recipe.load(path))}"
    compare(HERE / "shipped.txt", text)


def test_scripts_and_runtimes() -> None:
    text = ""
    Path("lib").mkdir()
    for name, one in runtime.known().items():
        text += f"{name}: {one.versions}\n"
        for suite, versions in one.versions.items():
            for version in versions:
                keys = f'runtime = "{name}{version}"\nsuite = "{suite}"\n'
                text += f"{name}{version}\n{_load(keys + COMMAND)}"
        for suffix in one.suffixes:
            script = f"app{suffix}"
            keys = f'runtime = "{name}"\nfiles = ["{script}", "./lib/", "/etc/x"]\n'
            text += f"{script} among files\n{_load(keys)}"
            text += f"{script} with an option\n{_load(keys + OPTION)}"
            text += f"{script} with a command\n{_load(keys + OWN)}"
            with zipfile.ZipFile(script, "w") as archive:  # of Java; the others are not read
                archive.writestr("META-INF/MANIFEST.MF", "Main-Class: App\n")
            ports = [Port.parse("8080")]
            try:
                made = recipe.for_script(
                    Path(script), ports=ports, env={"A": "b"}, arguments=["-v"]
                )
                text += f"the script {script}\n{_shown(made)}"
                text += f"the script {script} alone\n{_shown(recipe.for_script(Path(script)))}"
            except InputError as error:
                text += f"the script {script}\n{_said(error)}"
    compare(HERE / "runtimes.txt", text.replace(str(Path.cwd()), "<folder>"))


PROJECTS: dict[str, dict[str, str]] = {
    "empty": {},
    "go": {"go.mod": ""},
    "built-go": {"go.mod": "", "tool": "\x7fELF", "readme": "\x7fELF"},
    "rust": {"Cargo.toml": "", "target/release/tool": "\x7fELF"},
    "programs": {"tool": "\x7fELF"},
    "docker": {"Dockerfile": "", "main.py": ""},
    "containerfile": {"Containerfile": ""},
    "python": {"requirements.txt": "", "odd.py": "", "server.py": ""},
    "django": {"manage.py": "", "wsgi.py": ""},
    "python-without-scripts": {"pyproject.toml": "[project]\n"},
    "only-scripts": {"b.py": "", "a.py": ""},
    "node": {"package.json": '{"main": "lib/start.js"}', "lib/start.js": "", "app.js": ""},
    "node-without-main": {"package.json": "[]", "index.js": ""},
    "node-damaged": {"package.json": "{", "z.js": ""},
    "ruby": {"Gemfile": "", "app.rb": ""},
    "php": {"index.php": ""},
    "perl": {"cpanfile": "", "main.pl": ""},
    "java": {"pom.xml": "", "target/app.jar": ""},
}


def test_projects() -> None:
    text = ""
    for name, files in PROJECTS.items():
        folder = Path(name)
        folder.mkdir()
        for file, content in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            path.chmod(0o755 if file.endswith("tool") else 0o644)
        made = project.recipe_for(folder)
        text += f"---- {name}: {' '.join(files)}\n{made}"
        Path(name, "app.toml").write_text(made)
        try:
            text += _shown(recipe.load(folder / "app.toml"))
        except InputError as error:
            text += _said(error)
    compare(HERE / "projects.txt", text)


WRONG = (
    *("name = 'App'", "name = 1", "nic = 'ported'", "folder = 'x'", "completed = true", "x = 1"),
    *("kernel = 'OSv'", "kernel = 'osv:'", "runtime = 'cobol'", "runtime = 'python2'"),
    *("runtime = 'python'", "runtime = 1", "environment = '.venv'", "suite = 'Sid'"),
    "runtime = 'python'\nsuite = 'sid'\ncommand = ['x']",
    "runtime = 'python'\nenvironment = '.venv'\ncommand = ['x']",
    *("boot_mode = 'bios'", "packages = ['A']", "packages = 'a'", "architecture = 'mips'"),
    *("programs = ['']", "programs = [{ source = 'a', path = 'b' }]", "files = [{ path = '/b' }]"),
    *("files = [{ source = 'a', mode = '888' }]", "files = [{ source = 'a', owner = '-' }]"),
    *("files = [{ source = 'a', colour = 1 }]", "files = [{ source = 'a', from = 'web' }]"),
    *("folders = ['a']", "folders = [{ path = '/a', mode = 7 }]", "folders = [{ at = '/a' }]"),
    *("links = { a = '/b' }", "links = { '/a' = '' }", "command = []", 'command = ["\\u0000"]'),
    *("env = { '1' = 'a' }", 'env = { A = "\\u0000" }', "env = { A = 1 }", "user = 'a b'"),
    *("working_directory = 'a'", "stop_signal = 'term'", "ports = [0]", "ports = ['tcp']"),
    *("ports = [65536]", "ports = 80", "driver = 'own'", "strace = 'Open'", "launch = 'x'"),
    *("minimum_memory_mib = 63", "minimum_memory_mib = 64.5", "minimum_memory_mib = 9999999999"),
    *("extras = ['x']", "on_exit = 'stay'", "service = false\non_exit = 'restart'"),
    *("tags = { a = 1 }", "from = 'x y'", "from = ''", "setup = []", "exclude = 'x'"),
)


def test_wrong_recipes() -> None:
    text = ""
    for keys in WRONG:
        program = "" if "programs" in keys else "programs = ['a']\n"
        text += f"{keys!r}\n{_load(program + keys)}"
    text += f"nothing\n{_load('')}only from\n{_load(FROM)}"
    files = {
        **{f"a{suffix}": "" for suffix in (".c", ".go", ".rs", ".java", ".ts", ".class", ".zip")},
        **{f"a{suffix}": "" for suffix in (".exe", ".txt", ".py", ".jar")},
        **{"Dockerfile": "", "script": "#!/bin/sh\n", "tool": "\x7fELF", "sub/x": ""},
    }
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    words = ("http://x/y", "sub", "./none", "none.toml", "none", "redis:7", "a.txt", "httpd")
    for word in (*files, *words):
        kinds = (recipe.is_program(word), recipe.is_script(word), recipe.is_reference(word))
        text += f"{word} {kinds}\n"
        finds: tuple[Callable[[], Path | Recipe], ...] = (
            partial(recipe.find, word),
            partial(recipe.for_program, Path(word)),
            partial(recipe.for_script, Path(word)),
            partial(recipe.for_container, word),
        )
        for find in finds:
            try:
                made = find()
                text += f"  {made.name}\n" if isinstance(made, Path) else _shown(made)
            except InputError as error:
                text += _said(error)
    for change in (recipe.with_kernel, recipe.with_driver, recipe.with_trace):
        for word in ("osv:mine", "OSv", "kernel", "syscall*", "Open"):
            try:
                text += f"{change.__name__} {word}\n{_shown(change(recipe.load('hello'), word))}"
            except InputError as error:
                text += _said(error)
    compare(HERE / "wrong.txt", text.replace(str(Path.cwd()), "<folder>"))


NAMES = (
    *("docker://redis", "docker://redis:7", "docker://ghcr.io/a/b@sha256:" + "0" * 64),
    *("docker://localhost:5000/x", "docker://a/b/c:tag", "docker://A", "docker://", "docker://x:"),
    *("docker-archive:x.tar", "docker-archive:x.tar:a:b", "docker-archive:", "oci:folder"),
    *("oci:folder:tag", "oci-archive:x.tar", "oci:", "podman://x", "docker://x@sha256:0"),
)


def test_names_of_container_images() -> None:
    text = ""
    for name in NAMES:
        text += f"{name} {reference.is_reference(name)}\n"
        try:
            text += f"  {reference.parse(name)}\n"
        except InputError as error:
            text += _said(error)
    for word in ("My_App", "a" * 80, "...", "A.b-C", "é"):
        text += f"{word[:20]} → {recipe.name_from(word)}\n"
    compare(HERE / "names.txt", text)


def test_edited_recipes() -> None:
    entries: list[str | Entry] = ["redis", ("/etc/x", "/y")]
    text = ""
    for old in (
        "",
        'name = "x"\n',
        "files = []\n",
        'files = ["a"]\n[env]\nA = "b"\n',
        'files = [\n  "a",\n  # why\n]\n',
        '[env]\nA = "b"\n',
        '[[files]]\nsource = "a"\n',
        'x = """\nfiles = [\n"""\n',
    ):
        for added in (entries, []):
            try:
                text += f"---- {old!r}\n{with_entries(old, 'files', added)}\n"
            except InputError as error:
                text += f"---- {old!r}\n{_said(error)}"
    compare(HERE / "edited.txt", text)
