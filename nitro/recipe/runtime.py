"""The key `runtime` of a recipe, and recipes for scripts, which name none."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from nitro.arch import X86_64, Arch, named
from nitro.errors import InputError
from nitro.recipe import runtimes
from nitro.recipe.runtimes.base import HOME, Needs, Runtime

_NAME = re.compile(r"([a-z]+)([0-9][0-9.]*)?")
SUITE = "trixie"
# What of a project no guest needs.
EXCLUDED = (".git/", "__pycache__/", "/.venv/", "/venv/")


@cache
def known() -> dict[str, Runtime]:
    """All runtimes by name: each file of `nitro.recipe.runtimes` has one."""
    modules = (
        importlib.import_module(f"{runtimes.__name__}.{found.name}")
        for found in pkgutil.iter_modules(runtimes.__path__)
    )
    found = [module.RUNTIME for module in modules if hasattr(module, "RUNTIME")]
    return {runtime.name: runtime for runtime in found}


def of_script(path: str) -> Runtime | None:
    """The runtime of the file at `path`, by its name; None when it is no script of one."""
    suffix = Path(path).suffix
    return next((one for one in known().values() if suffix in one.suffixes), None)


def is_script(path: str) -> bool:
    """Whether there is a script or archive of one of the runtimes at `path`."""
    return Path(path).is_file() and of_script(path) is not None


def of_interpreter(path: str, suite: str, arch: Arch) -> Needs | None:
    """What Debian's interpreter at `path` needs to run any script; None where none is known."""
    name = re.match("[a-z]+", PurePosixPath(path).name)
    runtime = known().get(name[0]) if name else None
    versions = runtime.versions.get(suite, ()) if runtime else ()
    return runtime.needs(versions[0], arch) if runtime and versions else None


def expand(document: Mapping[str, Any], folder: Path = Path()) -> dict[str, Any]:
    """The keys of a recipe in `folder` with those that its `runtime` brings; its own come last and
    win.

    A command that does not begin with an absolute path is what the interpreter is given; without
    one, the first file of the runtime is. Raises InputError for a runtime that is none.
    """
    name = document.get("runtime")
    if not isinstance(name, str):
        if "environment" in document:
            raise InputError("environment is there without runtime", hint='add runtime = "python"')
        return dict(document)
    runtime, version = _find(name, str(document.get("suite", SUITE)))
    arch = named(str(document.get("architecture", X86_64.ec2)))
    own = {**document, "files": [_placed(one) for one in document.get("files", ())]}
    start = list(runtime.command(version, arch))
    if (environment := document.get("environment")) is None:
        joined = _join(runtime.needs(version, arch), own)
    else:
        needs = _environment(runtime, folder, str(environment))
        joined = _join(needs, {**own, "exclude": [*EXCLUDED, *document.get("exclude", ())]})
        start[0] = interpreter_of(needs)
    command = document.get("command")
    if command is None:
        script = _script(runtime, own["files"])
        between, _ = runtime.serves(script, ())
        command = [*between, *([] if between else [script])]
        joined["command"] = [*start, *command]
    elif not (command and str(command[0]).startswith("/")):
        # "-jar" and such are for a file's path.
        start = start[:1] if command and str(command[0]).startswith("-") else start
        joined["command"] = [*start, *command]
    if own["files"]:
        joined.setdefault("working_directory", HOME)
    return joined


def interpreter_of(environment: Needs) -> str:
    """The guest path of an environment's interpreter."""
    first = environment.programs[0]
    return first if isinstance(first, str) else first["path"]


def script_keys(
    path: Path, ports: Sequence[int], arguments: Sequence[str], runtime: Runtime
) -> dict[str, Any]:
    """The keys of a recipe for the script at `path`, with what lies beside it.

    That is the whole folder of a project, which a file such as package.json shows, and otherwise
    the scripts of the same language. Raises InputError for a damaged one.
    """
    runtime.check(path)
    folder = path.resolve().parent
    version = runtime.versions[SUITE][0]
    needs = runtime.environment(folder)
    start = list(runtime.command(version, X86_64))
    if needs is None:
        needs = runtime.needs(version, X86_64)
    else:
        start[0] = interpreter_of(needs)
    target = f"{HOME}/{path.name}"
    between, listening = runtime.serves(target, ports)
    words = [*between, *([] if between else [target]), *arguments]
    own = {"files": _beside(path.resolve(), runtime), "ports": list(listening)}
    return {
        **_join(needs, own),
        "command": [*start, *words],
        "working_directory": HOME,
        "exclude": [*needs.exclude, *EXCLUDED],
    }


def is_project(folder: Path, runtime: Runtime) -> bool:
    return any((folder / mark).exists() for mark in (*runtime.marks, ".nitroignore"))


def _beside(path: Path, runtime: Runtime) -> list[dict[str, str]]:
    folder = path.parent
    if is_project(folder, runtime):
        return [{"source": ".", "path": HOME}]
    names = {path.name} | {
        one.name for one in folder.iterdir() if one.suffix == path.suffix and one.is_file()
    }
    if path.suffix == ".jar":
        names = {path.name}
    return [{"source": name, "path": f"{HOME}/{name}"} for name in sorted(names)]


def _find(name: str, suite: str) -> tuple[Runtime, str]:
    match = _NAME.fullmatch(name)
    runtime = known().get(match[1]) if match else None
    if match is None or runtime is None:
        raise InputError(f"no runtime {name!r}", hint=f"runtimes: {', '.join(sorted(known()))}")
    versions = runtime.versions.get(suite, ())
    if not versions:
        suites = ", ".join(runtime.versions)
        raise InputError(f"no {runtime.name} is known of Debian {suite}", hint=f"suites: {suites}")
    if match[2] and match[2] not in versions:
        hint = f"Debian {suite} has {', '.join(versions)}"
        raise InputError(f"no {runtime.name} of version {match[2]}", hint=hint)
    return runtime, match[2] or versions[0]


def _environment(runtime: Runtime, folder: Path, name: str) -> Needs:
    home = Path(os.path.normpath(folder.resolve() / name))  # its links stay as they are
    needs = runtime.environment(home.parent, home.name)
    if needs is None:
        raise InputError(
            f"environment: {folder / name} is no virtual environment of {runtime.name}",
            hint="make one there, or leave environment out for Debian's packages",
        )
    return needs


def _join(needs: Needs, own: Mapping[str, Any]) -> dict[str, Any]:
    brought = needs.keys()
    lists = {
        key: [*brought[key], *own.get(key, ())]
        for key in ("packages", "programs", "files", "exclude")
    }
    return {**own, **lists, "env": {**brought["env"], **own.get("env", {})}}


def _placed(file: Any) -> Any:
    """A relative file goes to the folder of the script, unless the recipe says where."""
    table = {"source": file} if isinstance(file, str) else file
    source = table.get("source") if isinstance(table, dict) else None
    if isinstance(source, str) and not source.startswith("/") and "path" not in table:
        inside = "" if source in (".", "./") else f"/{source.removeprefix('./').rstrip('/')}"
        return {**table, "path": HOME + inside}
    return file


def _script(runtime: Runtime, files: Sequence[Any]) -> str:
    for file in files:
        path = file.get("path", "") if isinstance(file, dict) else ""
        if isinstance(path, str) and path.endswith(runtime.suffixes):
            return path
    raise InputError(
        f"runtime {runtime.name}: no command, and no {' or '.join(runtime.suffixes)} among files",
        hint='add files = ["…"] or command = ["…"]',
    )
