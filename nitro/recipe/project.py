"""What a folder holds, and a recipe for it that says why each line stands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from nitro.recipe import runtime
from nitro.recipe.runtimes.base import HOME, Runtime

_ELF = b"\x7fELF"
_PORT = 8080

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
    environment = language.environment(folder)
    found = _start(folder, language)
    script = found or f"app{language.suffixes[0]}"
    lines = []
    if environment is None:
        lines += [
            f"# {why}: the interpreter and its library come from Debian.",
            f'runtime = "{language.name}"',
        ]
    else:
        keys = environment.keys()
        lines += [
            "# A virtual environment is there: it is taken with the interpreter and the standard",
            "# library that it was made from, from this machine.",
            f"programs = {_array(keys['programs'])}",
            f"exclude = {_array([*keys['exclude'], *runtime.EXCLUDED])}",
            'env = { PYTHONUNBUFFERED = "1" }',
        ]
    files = [{"source": ".", "path": HOME}]
    if environment is not None:
        files = [*environment.keys()["files"], *files]
    lines += [
        f"# The folder goes to {HOME}; .nitroignore names what to leave out.",
        f"files = {_array(files)}",
    ]
    if environment is None:
        lines.append(f"exclude = {_array(list(runtime.EXCLUDED))}")
    else:
        lines.append(f'working_directory = "{HOME}"')
    if not found:
        lines.append("# No script has a usual name: write the one to start.")
    lines += [
        f"command = {_array(_command(script, language, environment is not None, folder))}",
        "# The port that the program listens on.",
        f"ports = [{_PORT}]",
    ]
    return "\n".join(lines) + "\n"


def _command(script: str, language: Runtime, own: bool, folder: Path) -> list[str]:
    between, _ = language.serves(script, (_PORT,))
    words = [*between] if between else [script]
    environment = language.environment(folder) if own else None
    if environment is not None:
        first = environment.programs[0]
        assert isinstance(first, dict)
        words = [first["path"], f"{HOME}/{script}"]
    return words


def _program(place: Path, folder: Path, why: str, build: str) -> str:
    program = next(_programs(place), None)
    name = folder.resolve().name
    source = str(program.relative_to(folder)) if program else str(Path(place.name) / name)
    if program is None and place == folder:
        source = name
    note = "" if program else f"# It is not built yet: {build}\n"
    return f"""\
# {why}: the program is taken with the libraries that it needs.
{note}programs = [{json.dumps(source)}]
# The port that the program listens on.
ports = [{_PORT}]
"""


def _programs(folder: Path) -> Iterator[Path]:
    """Executables in `folder` itself, the newest first."""
    if not folder.is_dir():
        return
    files = [one for one in folder.iterdir() if one.is_file() and os.access(one, os.X_OK)]
    for path in sorted(files, key=lambda one: (-one.stat().st_mtime, one.name)):
        with path.open("rb") as file:
            if file.read(4) == _ELF:
                yield path


def _start(folder: Path, language: Runtime) -> str | None:
    """The script that starts the project, as package.json or a usual name says it."""
    package = folder / "package.json"
    if language.name == "node" and package.is_file():
        try:
            main = json.loads(package.read_text()).get("main")
        except (ValueError, AttributeError):
            main = None
        if isinstance(main, str) and (folder / main).is_file():
            return main
    scripts = _scripts(folder, language)
    usual = [f"{name}{suffix}" for name in _STARTS for suffix in language.suffixes]
    return next((name for name in usual if name in scripts), scripts[0] if scripts else None)


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
