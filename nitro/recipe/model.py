"""The keys of a recipe, checked. `docs/recipes.md` describes every one.

A recipe only states what is wanted; nothing here reads a program, looks for a library or resolves
a package.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from nitro.arch import X86_64, Arch, named
from nitro.errors import InputError
from nitro.ports import Port, tcp_numbers
from nitro.recipe import patterns, reference, runtime
from nitro.recipe.find import find, is_program, name_from

Extra = Literal[
    "passwd",
    "nsswitch",
    "resolv",
    "certificates",
    "unwind",
    "tzdata",
    "locale",
    "gconv",
    "protocols",
]
DEFAULT_EXTRAS: tuple[Extra, ...] = ("passwd", "nsswitch", "resolv", "certificates", "unwind")
Launch = Literal["osv", "static", "linux-ld"]
Driver = Literal["nitro", "kernel"]
BootMode = Literal["legacy-bios", "uefi", "uefi-preferred"]

_MAX_MEMORY_MIB = 32 << 20  # 32 TiB: the largest instances have 24
# tomllib takes time with the square of the length of a dotted key.
_MAX_FILE = 64 << 10
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _port(value: Any) -> Port:
    try:
        return value if isinstance(value, Port) else Port.parse(value)
    except InputError as error:
        raise ValueError(str(error)) from None


_Port = Annotated[Port, BeforeValidator(_port), PlainSerializer(Port.to_json)]


def _reference(name: str) -> str:
    try:
        reference.parse(name)
    except InputError as error:
        raise ValueError(str(error)) from None
    return name


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("write an absolute path, it is one in the guest")
    return path


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Word = Annotated[str, AfterValidator(patterns.word)]
_Absolute = Annotated[str, AfterValidator(_absolute)]
_Owner = Annotated[str, Field(pattern=patterns.OWNER)]
_Mode = Annotated[str, Field(pattern=patterns.OCTAL)]


class File(_Table):
    """A file, folder or program to include.

    `source` is a path on this machine, in the recipe's folder (when relative), or in the
    recipe's Debian packages; `origin` ("from" in TOML) says which, where it is not obvious.
    """

    source: str = Field(min_length=1)
    #: where it goes in the guest; None: the same absolute path, or /usr/bin/ for a relative one
    path: _Absolute | None = None
    origin: Literal["folder", "host", "package"] | None = Field(default=None, alias="from")
    #: octal permission bits of files; None: 0755 or 0644, as the source is executable or not
    mode: _Mode | None = None
    #: None: root
    owner: _Owner | None = None
    #: whether the recipe goes without where the source is not there; for `files`
    optional: bool = False

    @property
    def target(self) -> str:
        """The absolute path in the guest."""
        if self.path:
            return self.path
        return self.source if self.source.startswith("/") else f"/usr/bin/{Path(self.source).name}"


class Folder(_Table):
    """An empty folder to make, or one of the `files` that is to have another owner and mode."""

    path: _Absolute
    owner: _Owner = "root"
    mode: _Mode = "0755"


class Recipe(_Table):
    """A recipe, checked. Paths in it are relative to `folder`."""

    name: str = Field(pattern=patterns.NAME)
    description: str = ""
    #: the container image that the recipe changes or adds to, as nitro.recipe.reference reads it
    base: Annotated[str, AfterValidator(_reference)] | None = Field(default=None, alias="from")
    #: as EC2 calls it
    architecture: str = X86_64.ec2
    #: the flavour of kernel, and after a colon the name of one where a flavour has several
    kernel: str = Field(default="linux", pattern=patterns.KERNEL)
    #: a language whose interpreter and libraries are brought, as `nitro.recipe.runtime` knows it
    runtime: str | None = None
    #: folder of an environment of this machine that takes the place of the runtime's packages
    environment: str | None = None
    #: Debian suite of kernel and packages
    suite: str = Field(default="trixie", pattern=patterns.SUITE)
    boot_mode: BootMode = "legacy-bios"
    packages: tuple[Annotated[str, Field(pattern=patterns.PACKAGE)], ...] = ()
    programs: tuple[File, ...] = ()
    files: tuple[File, ...] = ()
    folders: tuple[Folder, ...] = ()
    #: path in the guest → where the link leads
    links: dict[_Absolute, Annotated[str, Field(min_length=1)]] = {}
    #: what to leave out of folders among `files`: patterns as in .gitignore
    exclude: tuple[str, ...] = ()
    #: libraries that a program loads while it runs (dlopen), by soname or absolute path
    libraries: tuple[str, ...] = ()
    #: the folder that absolute paths of this machine and its libraries are looked for in
    sysroot: str = "/"
    #: argv; None: the first program without arguments
    command: tuple[_Word, ...] | None = Field(default=None, min_length=1)
    env: dict[str, str] = {}
    #: a command to run when the image is built, in its files; what it makes is kept
    setup: tuple[_Word, ...] | None = Field(default=None, min_length=1)
    #: who runs the command; a name that nothing brings is made
    user: _Owner = "root"
    #: where the command starts; None: in /
    working_directory: _Absolute | None = None
    #: what asks the command to end; None: TERM
    stop_signal: str | None = Field(default=None, pattern=patterns.SIGNAL)
    ports: tuple[_Port, ...] = ()
    #: the driver of the ENA card: nitro's own, with the kernel's to fall back to, or the kernel's
    driver: Driver = "nitro"
    #: how OSv starts the program; None: chosen by its ELF file
    launch: Launch | None = None
    #: trace the program's system calls whose names begin so; None: none
    strace: str | None = Field(default=None, pattern=patterns.TRACED)
    #: None: computed from the image
    minimum_memory_mib: Annotated[int, Strict(), Field(ge=64, le=_MAX_MEMORY_MIB)] | None = None
    extras: tuple[Extra, ...] = DEFAULT_EXTRAS
    on_exit: Literal["poweroff", "restart"] = "poweroff"
    #: whether the program is to keep running; false: it is to end with status 0
    service: bool = True
    tags: dict[str, str] = {}
    #: what relative paths are relative to; not a key of the file
    folder: Path = Field(default=Path(), exclude=True)
    #: the file itself, for messages; None for a bare program
    file: Path | None = Field(default=None, exclude=True)
    #: what the container image states is in: nitro.container.complete has put it there
    completed: bool = Field(default=False, exclude=True)
    #: whether something of it is not as in the file
    changed: bool = Field(default=False, exclude=True)

    @field_validator("architecture")
    @classmethod
    def _known(cls, architecture: str) -> str:
        try:
            return named(architecture).ec2
        except InputError as error:
            raise ValueError(str(error)) from None

    @field_validator("programs", "files", "folders", mode="before")
    @classmethod
    def _short_form(cls, value: Any, info: ValidationInfo) -> Any:
        key = "path" if info.field_name == "folders" else "source"
        if isinstance(value, list):
            return [{key: item} if isinstance(item, str) else item for item in value]
        return value

    @field_validator("env")
    @classmethod
    def _variables(cls, env: dict[str, str]) -> dict[str, str]:
        for key, value in env.items():
            if not _VARIABLE.fullmatch(key):
                raise ValueError(f"{key!r} is not the name of an environment variable")
            if "\0" in value:
                raise ValueError(f"{key} has a NUL byte in its value")
        return env

    @model_validator(mode="after")
    def _ends_once(self) -> Self:
        if not self.service and self.on_exit == "restart":
            raise ValueError('service = false: a program that is to end needs on_exit = "poweroff"')
        return self

    @property
    def arch(self) -> Arch:
        """The architecture of the machines that the image is for."""
        return named(self.architecture)

    @property
    def flavour(self) -> str:
        """The flavour of kernel, without the name of one of them."""
        return self.kernel.partition(":")[0]

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line to run in the guest."""
        return self.command or (self.programs[0].target,)

    @property
    def tcp_ports(self) -> tuple[int, ...]:
        return tcp_numbers(self.ports)


def load(name_or_path: str | Path) -> Recipe:
    """The recipe of that name or file, or one made for the program at that path.

    Raises InputError naming file, key and remedy.
    """
    if is_program(str(name_or_path)):
        return for_program(Path(name_or_path))
    path = find(name_or_path)
    try:
        if path.stat().st_size > _MAX_FILE:
            raise ValueError(f"larger than {_MAX_FILE >> 10} KiB")
        document = tomllib.loads(path.read_text())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested too deeply
        raise InputError(f"{path}: {error}", hint="fix the TOML syntax") from None
    for key in ("folder", "file", "completed", "changed", "base"):
        if key in document:
            raise InputError(f"{path}: unknown key {key!r}", hint="remove it")
    if "nic" in document:
        raise InputError(
            f"{path}: the key 'nic' is called 'driver' now",
            hint='write driver = "nitro" for "ported", driver = "kernel" for "stock"',
        )
    place = {"folder": path.parent.resolve(), "file": path}
    try:
        keys = runtime.expand(document, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error.what}", hint=error.hint) from None
    recipe = _checked(path, {"name": path.stem, **keys, **place})
    if recipe.command is None and not recipe.programs and recipe.base is None:
        raise InputError(f"{path}: no command", hint='add command = ["/usr/bin/…"] or programs')
    return recipe


def with_kernel(recipe: Recipe, kernel: str | None) -> Recipe:
    """The recipe with another kernel than its own; None: its own. Raises InputError."""
    if kernel is None:
        return recipe
    if not re.fullmatch(patterns.KERNEL, kernel):
        raise InputError(f"--kernel {kernel} is not a kernel's name", hint="such as osv:mine")
    return recipe.model_copy(update={"kernel": kernel, "changed": True})


def with_driver(recipe: Recipe, driver: str | None) -> Recipe:
    """The recipe with another driver than its own; None: its own. Raises InputError."""
    if driver is None:
        return recipe
    if driver not in get_args(Driver):
        raise InputError(f"--driver {driver} is not a driver", hint="nitro, or kernel")
    return recipe.model_copy(update={"driver": driver, "changed": True})


def with_trace(recipe: Recipe, pattern: str) -> Recipe:
    """The recipe with its system calls traced whose names begin so. Raises InputError."""
    if not re.fullmatch(patterns.TRACED, pattern):
        raise InputError(
            f"--strace {pattern!r} is not a call's name", hint='such as open, or "syscall*" for all'
        )
    return recipe.model_copy(update={"strace": pattern, "changed": True})


def for_program(
    path: Path,
    *,
    ports: Sequence[Port] = (),
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    sysroot: Path = Path("/"),
) -> Recipe:
    """A recipe for one executable of this machine, which runs under its own file name.

    Its libraries come from `sysroot`, where something else than this machine's root is meant.
    Raises InputError when `path` is not a program.
    """
    if not is_program(str(path)):
        raise InputError(f"{path}: not a program", hint="give an ELF executable or a script")
    target = f"/usr/bin/{path.name}"
    return _checked(
        path,
        {
            "name": name_from(path.name),
            "programs": [{"source": path.resolve().name, "path": target, "from": "host"}],
            "sysroot": str(sysroot.resolve()),
            "command": [target, *arguments],
            "env": dict(env or {}),
            "ports": list(ports),
            "on_exit": "restart" if ports else "poweroff",
            "folder": path.resolve().parent,
        },
    )


def for_script(
    path: Path,
    *,
    ports: Sequence[Port] = (),
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Recipe:
    """A recipe for a script or archive of one of the runtimes, with what lies beside it.

    Raises InputError when `path` is not one.
    """
    language = runtime.of_script(str(path))
    if language is None or not path.is_file():
        raise InputError(f"{path}: not a script that nitro knows", hint="write a recipe for it")
    keys = runtime.script_keys(path, tcp_numbers(ports), arguments, language)
    listens = [*ports] or keys["ports"]
    document = {
        **keys,
        "name": name_from(path.stem),
        "ports": listens,
        "env": {**keys["env"], **(env or {})},
        "on_exit": "restart" if listens else "poweroff",
        "folder": path.resolve().parent,
    }
    return _checked(path, document)


def for_container(
    name: str, *, ports: Sequence[Port] = (), env: Mapping[str, str] | None = None
) -> Recipe:
    """A recipe for the container image called `name`; `nitro.container.complete` fills it in.

    `ports` take the place of those that the image states. Raises InputError when `name` is not
    one that `nitro.recipe.reference` reads.
    """
    document = {
        "name": name_from(reference.parse(name).short_name),
        "from": name,
        "env": dict(env or {}),
        "folder": Path().resolve(),
        **({"ports": list(ports)} if ports else {}),
    }
    return _checked(Path(name), document)


def _checked(path: Path, document: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            tables: dict[str, type[_Table]] = {"files": File, "programs": File, "folders": Folder}
            known: type[_Table] = tables.get(str(first["loc"][0]), Recipe)
            keys = [f.alias or n for n, f in known.model_fields.items() if not f.exclude]
            raise InputError(
                f"{path}: unknown key {key!r}", hint=f"known keys: {', '.join(keys)}"
            ) from None
        # pydantic's word is Python's, the reader's is TOML's.
        message = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
        if first["type"] == "string_pattern_mismatch":
            message = f"{first['input']!r} is not {patterns.meant(first['ctx']['pattern'])}"
        elif first["type"] in {"too_short", "string_too_short"}:
            message = "has nothing in it"
        where = f"{path}: {key}" if key else str(path)
        raise InputError(f"{where}: {message}", hint="see docs/recipes.md") from None
