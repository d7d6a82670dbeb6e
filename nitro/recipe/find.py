"""From a recipe's name or path to its file. `nitro.recipe.model` parses that file."""

from __future__ import annotations

import re
from pathlib import Path

from nitro.errors import InputError
from nitro.paths import resource

_ELF = b"\x7fELF"

# What people give in place of a program, by the file's suffix: what it is, and what to do.
_COMPILE = "compile it, and give the program that comes out"
_INTERPRETER = "give a recipe whose command runs it with its interpreter"
_NO_PROGRAM = {
    **dict.fromkeys((".c", ".cc", ".cpp", ".cs", ".kt", ".swift", ".zig"), ("source", _COMPILE)),
    ".go": ("Go source", "give what `CGO_ENABLED=0 go build` makes of it"),
    ".rs": ("Rust source", "give what `cargo build --release` makes, from target/release/"),
    ".java": ("Java source", "compile it to a jar, and write a recipe whose command runs that"),
    ".ts": ("TypeScript source", "compile it to JavaScript first"),
    ".class": ("Java bytecode", _INTERPRETER),
    ".jar": ("a Java archive", _INTERPRETER),
    **dict.fromkeys((".py", ".js", ".mjs", ".rb", ".php", ".pl"), ("a script", _INTERPRETER)),
    **dict.fromkeys((".zip", ".tar", ".gz", ".xz", ".deb"), ("an archive", "unpack it first")),
    **dict.fromkeys((".exe", ".dll"), ("a program for Windows", "build it for Linux")),
}
# A recipe for another tool.
_CONTAINER = ("Dockerfile", "Containerfile")


def is_program(name: str) -> bool:
    """Whether `name` is a path to a program rather than a recipe's name or file."""
    path = Path(name)
    if path.suffix == ".toml" or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start == _ELF or start.startswith(b"#!")


def name_from(text: str) -> str:
    """`text` as a name that recipes may have: "My_App" → "my-app"."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip("-.")[:63] or "program"


def names() -> list[str]:
    """The recipes that come with nitro."""
    return sorted(path.stem for path in resource("amis").glob("*.toml"))


def find(name_or_path: str | Path) -> Path:
    """The file of a recipe: a path, or the name of one that comes with nitro.

    Raises InputError when there is none.
    """
    name = str(name_or_path)
    path = Path(name)
    if name.startswith(("http://", "https://")):
        raise InputError(f"{name} is an address", hint="download it, and give the file's path")
    if path.suffix.lower() in _NO_PROGRAM and path.is_file():
        what, hint = _NO_PROGRAM[path.suffix.lower()]
        raise InputError(f"{path} is {what}, neither a recipe nor a program", hint=hint)
    if path.name in _CONTAINER and path.is_file():
        hint = "build its image, and give what `docker save -o FILE.tar NAME` writes"
        raise InputError(f"{path} is neither a recipe nor a program", hint=hint)
    if path.is_dir() and not (path / "recipe.toml").is_file() and not _shipped(name).is_file():
        hint = f"give the recipe in it; `nitro init {name}` writes one"
        raise InputError(f"{path} is a folder without a recipe.toml", hint=hint)
    if path.suffix == ".toml" or "/" in name:
        if path.is_dir():
            path = path / "recipe.toml"
        if not path.is_file():
            raise InputError(f"{path}: no such recipe or program", hint="check the path")
        return path
    shipped = _shipped(name)
    if shipped.is_file():
        return shipped
    hint = f"recipes: {', '.join(names())}; or give a path to a recipe or a program"
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]+)", name):
        hint = f"write docker://{name} if you mean a container image"
    if path.is_file():
        hint = f"write ./{name} if you mean the file here"
    raise InputError(f"no recipe {name!r}", hint=hint)


def _shipped(name: str) -> Path:
    return resource("amis") / f"{name}.toml"
