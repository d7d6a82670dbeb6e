"""What a program and its libraries ask of a kernel, and what of that a kernel does not have.

Read from the ELF files: the symbols that they import, the system calls in their code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nitro.image.formats import elf, symbols
from nitro.image.formats.symbols import Symbols
from nitro.image.formats.system_calls import made_by
from nitro.image.osv import system_calls
from nitro.image.osv.segment import Segment

_PROCESSES = frozenset(
    {
        *("fork", "vfork", "daemon", "forkpty", "posix_spawn", "posix_spawnp", "popen", "system"),
        *("execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve"),
    }
)
_MEMORY_MAP = b"/proc/self/maps\0"
_STARTED_BY_CALL = frozenset({"fork", "vfork", "execve", "execveat"})


@dataclass(frozen=True)
class Demands:
    """What a kernel lacks for one program.

    `symbols` that nobody exports → the path of the first that imports it; `calls` are system
    calls in the program's own code; `processes` the functions, or the system calls, by which the
    program starts or replaces processes; `reads_map` is the path of the first file that reads the
    process's memory map, if one does.
    """

    symbols: Mapping[str, str]
    calls: frozenset[str]
    processes: tuple[str, ...]
    reads_map: str | None = None


def of_dynamic(path: str, program: Path, libraries: Mapping[str, Path], kernel: Segment) -> Demands:
    """Those of a program at the guest's `path`, linked by OSv with `libraries` (path → file).

    Raises InputError when one of the files is damaged.
    """
    objects, reads_map = {}, None
    for name, file in {path: program, **libraries}.items():
        data = file.read_bytes()
        objects[name] = _read(file, data)
        if reads_map is None and _MEMORY_MAP in data:
            reads_map = name
    offered = frozenset[str]().union(*(one.defined for one in objects.values()))
    lacks: dict[str, str] = {}
    for name, one in objects.items():
        for symbol in sorted(one.needed - offered):
            if symbol not in lacks and kernel.exports.address(symbol) is None:
                lacks[symbol] = name
    return Demands(lacks, frozenset(), processes(objects[path]), reads_map)


def of_static(program: Path, kernel: Segment) -> Demands:
    """Those of a program that makes system calls itself. Raises InputError when it is damaged."""
    made = frozenset[str]().union(*map(made_by, elf.code(program)))
    offered = system_calls.offered_by(kernel)
    lacks = made - offered if offered else frozenset[str]()
    return Demands({}, lacks - _STARTED_BY_CALL, tuple(sorted(lacks & _STARTED_BY_CALL)))


def processes(program: Symbols) -> tuple[str, ...]:
    """The functions that a program imports to start or replace processes."""
    return tuple(sorted(program.needed & _PROCESSES))


def read(file: Path) -> Symbols:
    """The dynamic symbols of a file. Raises InputError when it is damaged."""
    return _read(file, file.read_bytes())


def _read(file: Path, data: bytes) -> Symbols:
    try:
        return symbols.read(data)
    except ValueError as error:
        raise elf.damaged(file, error) from None


def some(names: Iterable[str], most: int = 4) -> str:
    """`a, b, c and 12 more`."""
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed) if more <= 1 else f"{', '.join(listed[:most])} and {more} more"
