"""What a folder holds, and a recipe for it that says why each line stands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from nitro.recipe import runtime
from nitro.recipe.runtime import interpreter_of
from nitro.recipe.runtimes.base import HOME, Runtime

_ELF = b"\x7fELF"
_PORT = 8080
_LISTENING = (
    "# The port that the program listens on; many take it from this variable.",
    f"ports = [{_PORT}]",
    f'env = {{ PORT = "{_PORT}" }}',
)

_SAMPLE = """\
packages = ["busybox-static"]          # from Debian trixie
programs = ["/usr/bin/busybox"]        # with the libraries that they need
command = ["/usr/bin/busybox", "nc", "-lk", "-p", "8080", "-e", "/usr/bin/busybox", "date"]
ports = [8080]
"""
# Where the programs of a compiled language come to lie, by the file that shows the language.
_COMPILED = {
    "go.mod": ("Go", ".", "go build"),
    "Cargo.toml": ("Rust", "target/release", "cargo build --release"),
}
# The usual names of what is started, the likeliest first.
_STARTS = ("app", "main", "server", "index", "manage", "wsgi")


def recipe_for(folder: Path) -> str:
    """The keys of a recipe for the project in `folder`, with comments; an example where none is.

    Only the names of files, package.json and the first bytes of programs are looked at.
    """
    if (folder / "Dockerfile").is_file() or (folder / "Containerfile").is_file():
        return _container(folder)
    for mark, (language, place, build) in _COMPILED.items():
        if (folder / mark).is_file():
            return _program(folder / place, folder, f"{mark}: a project in {language}", build)
    for one in runtime.known().values():
        if any((folder / mark).exists() for mark in one.marks) or _scripts(folder, one):
            return _script(folder, one)
    if next(_programs(folder), None):
        return _program(folder, folder, "no project that nitro knows", "")
    return _SAMPLE


def _container(folder: Path) -> str:
    name = folder.resolve().name.lower()
    return f"""\
# A Dockerfile: the image that it builds is taken as it is, with its command, user and ports.
# Make the archive first: docker build -t {name} . && docker save -o {name}.tar {name}
from = {json.dumps(f"docker-archive:{name}.tar")}
# ports = [{_PORT}]            # instead of those that the image exposes
# command = ["/…"]           # instead of its own
"""


def _script(folder: Path, language: Runtime) -> str:
    marks = [mark for mark in language.marks if (folder / mark).exists()]
    why = f"{marks[0]} is there" if marks else f"scripts end in {language.suffixes[0]}"
    command = _start(folder, language)
    lines = []
    if environment := language.environment(folder.resolve()):
        name = Path(interpreter_of(environment)).parents[1].name
        lines += [
            f"# {name} is a virtual environment: it is taken with the interpreter and the standard",
            "# library that it was made from, from this machine.",
            f'runtime = "{language.name}"',
            f'environment = "{name}"',
        ]
    else:
        lines += [
            f"# {why}: the interpreter and its library come from Debian.",
            f'runtime = "{language.name}"',
        ]
        if "requirements.txt" in marks or "pyproject.toml" in marks:
            lines += [
                "# What the project requires is not there. Make an environment beside this file",
                "# (python3 -m venv .venv; .venv/bin/pip install …) and name it here:",
                '# environment = ".venv"',
                "# or name Debian's packages:",
                '# packages = ["python3-flask"]',
            ]
    lines += [
        f"# The folder goes to {HOME}; .nitroignore names what to leave out.",
        f"files = {_array([{'source': '.', 'path': HOME}])}",
        f"exclude = {_array(list(runtime.EXCLUDED))}",
    ]
    if command is None:
        lines.append("# No script has a usual name: write the one to start.")
        command = [f"app{language.suffixes[0]}"]
    lines += [
        f"command = {_array(command)}",
        *_LISTENING,
    ]
    return "\n".join(lines) + "\n"


def _program(place: Path, folder: Path, why: str, build: str) -> str:
    program = next(_programs(place), None)
    source = str((program or place / folder.resolve().name).relative_to(folder))
    note = "" if program else f"# It is not built yet: {build}\n"
    return f"""\
# {why}: the program is taken with the libraries that it needs.
{note}programs = [{json.dumps(source)}]
""" + "".join(f"{line}\n" for line in _LISTENING)


def _programs(folder: Path) -> Iterator[Path]:
    """Executables in `folder` itself, the newest first."""
    if not folder.is_dir():
        return
    files = [one for one in folder.iterdir() if one.is_file() and os.access(one, os.X_OK)]
    for path in sorted(files, key=lambda one: (-one.stat().st_mtime, one.name)):
        with path.open("rb") as file:
            if file.read(4) == _ELF:
                yield path


def _start(folder: Path, language: Runtime) -> list[str] | None:
    """What the interpreter is given to start the project, as package.json or a usual name says."""
    package = folder / "package.json"
    if language.name == "node" and package.is_file():
        try:
            main = json.loads(package.read_text()).get("main")
        except (ValueError, AttributeError):
            main = None
        if isinstance(main, str) and (folder / main).is_file():
            return [main]
    if language.name == "python" and (folder / "manage.py").is_file():  # Django's
        return ["manage.py", "runserver", f"0.0.0.0:{_PORT}", "--noreload"]
    scripts = _scripts(folder, language)
    usual = [f"{name}{suffix}" for name in _STARTS for suffix in language.suffixes]
    script = next((name for name in usual if name in scripts), scripts[0] if scripts else None)
    if script is None:
        return None
    between, _ = language.serves(script, (_PORT,))
    return [*between] if between else [script]


def _scripts(folder: Path, language: Runtime) -> list[str]:
    places = [folder, folder / "target", folder / "build/libs"]
    if language.name != "java":
        places = [folder]
    return sorted(
        str(one.relative_to(folder))
        for place in places
        if place.is_dir()
        for one in place.iterdir()
        if one.suffix in language.suffixes and one.is_file()
    )


def _array(values: list[object] | list[str] | list[dict[str, str]]) -> str:
    """The TOML of an array of strings and of flat tables."""
    return "[" + ", ".join(_value(value) for value in values) + "]"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
