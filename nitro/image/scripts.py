"""Scripts: who runs them, and what of a recipe's packages they start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nitro.errors import InputError
from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Rootfs
from nitro.recipe import Recipe

# Where a shell's PATH leads in the guest.
PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
# Debian packages of interpreters. The first is on every Debian system, so that none depends on it.
PACKAGES = {
    "bash": "bash",
    "node": "nodejs",
    "perl": "perl",
    "php": "php-cli",
    "python3": "python3",
    "ruby": "ruby",
}
_SHELLS = {"ash", "bash", "dash", "ksh", "sh"}
_MAX_SCRIPT = 1 << 20  # bytes
_MAX_SCRIPTS = 20
# After ":-" stands what a variable is without a value.
_PATHS = re.compile(r"(?:(?<=:-)|(?<![\w./}*-]))/(?:usr|etc|opt|var|s?bin)/[\w.+@/-]*[\w+-]")
_STARTS = re.compile(
    r"(?:^|[;&|({]|\b(?:then|else|do)\b)\s*exec\s+([A-Za-z][\w.+-]*)", re.MULTILINE
)
# Folders that a script rather puts files into, or that programs share.
_SHARED = re.compile(
    r"/(?:usr(?:/(?:local/)?\w+)?|etc|opt|s?bin|etc/default/.*|var/(?:lib|log|run))"
)


def interpreters(script: Path) -> list[str]:
    """Who runs a script, from its first line: ["/usr/bin/env", "python3"].

    Raises InputError for a file without such a line.
    """
    with script.open("rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!"):
        raise InputError(f"{script}: not a program", hint="give an ELF executable or a script")
    words = first[2:].decode(errors="replace").split()
    if words and words[0].endswith("/env"):
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        return ["/usr/bin/env", *names[:1]]
    return words[:1]


def has(interpreter: str, rootfs: Rootfs, packages: Sysroot) -> bool:
    """Whether the image or the packages have an interpreter, by its path or its name."""
    folders = PATH if interpreter[:1] != "/" else ("",)
    names = [f"{folder}/{interpreter}" if folder else interpreter for folder in folders]
    return any(name in rootfs or packages.locate(name) is not None for name in names)


def package_line(interpreter: str, recipe: Recipe) -> str:
    """What to do about an interpreter that the recipe's packages lack."""
    package = PACKAGES.get(PurePosixPath(interpreter).name)
    if package is None:
        return "add its package"
    return f"write packages = {json.dumps([*recipe.packages, package])}"


def needs_bash(recipe: Recipe) -> bool:
    """Whether a script of the recipe's own folder that it starts is one of bash's."""
    if recipe.base:
        return False
    started = PurePosixPath(recipe.argv[0])
    own = [recipe.folder / one.source for one in recipe.programs if one.source[:1] != "/"]
    for file in recipe.files:
        if file.source[:1] != "/" and started.is_relative_to(file.target):
            own.append(recipe.folder / file.source / started.relative_to(file.target))
    return any(
        PurePosixPath(name).name == "bash"
        for script in own
        if script.is_file() and is_script(script)
        for name in interpreters(script)
    )


def lacking(path: str, rootfs: Rootfs, packages: Sysroot) -> list[str]:
    """What the packages have, and the image has not, of what the shell script at `path` names.

    Those are paths, and programs that take its place, in order; also what the scripts among them
    name. A script may name more than it uses.
    """
    found: dict[str, None] = {}
    ahead, seen = [path], set[str]()
    while ahead and len(seen) < _MAX_SCRIPTS:
        here = ahead.pop(0)
        script = packages.locate(here)
        if here in seen or script is None or not _is_shell(script):
            continue
        seen.add(here)
        for name in _named(script.read_text(errors="replace"), packages):
            if name not in rootfs:
                found[name] = None
            ahead.append(name)
    return [one for one in found if not {*map(str, PurePosixPath(one).parents)} & {*found}]


def _named(text: str, packages: Sysroot) -> Iterator[str]:
    """What of the packages a script names."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for match in _PATHS.finditer(lines):
        if not _SHARED.fullmatch(match[0]) and packages.locate(match[0]):
            yield match[0]
    for match in _STARTS.finditer(lines):
        places = (f"{folder}/{match[1]}" for folder in PATH)
        if place := next((one for one in places if packages.locate(one)), None):
            yield place


def _is_shell(script: Path) -> bool:
    if not script.is_file() or script.stat().st_size > _MAX_SCRIPT or not is_script(script):
        return False
    return any(PurePosixPath(name).name in _SHELLS for name in interpreters(script))


def is_script(path: Path) -> bool:
    """Whether a file names who runs it."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"
