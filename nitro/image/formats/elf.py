"""ELF files: what the dynamic linker reads of them. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE

from nitro.errors import InputError


@dataclass(frozen=True)
class Object:
    """What matters here of one ELF file."""

    kind: str  # "ET_EXEC", "ET_DYN", …
    machine: int  # e_machine
    bits: int
    interpreter: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    thread_local: int = 0
    """Bytes of thread-local storage."""


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def read(path: Path) -> Object:
    """Raises InputError when `path` is not an ELF file that can be read."""
    found = path.stat()
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int, size: int) -> Object:
    """The same file is looked at several times, and pyelftools takes milliseconds."""
    with _opened(path) as elf:
        interpreter = next((s.get_interp_name() for s in elf.iter_segments("PT_INTERP")), None)
        needed, rpath, runpath = [], "", ""
        for section in elf.iter_segments("PT_DYNAMIC"):
            for tag in section.iter_tags():
                if tag.entry.d_tag == "DT_NEEDED":
                    needed.append(tag.needed)
                elif tag.entry.d_tag == "DT_RPATH":
                    rpath = tag.rpath
                elif tag.entry.d_tag == "DT_RUNPATH":
                    runpath = tag.runpath
        return Object(
            elf["e_type"],
            ENUM_E_MACHINE.get(elf["e_machine"], elf["e_machine"]),
            elf.elfclass,
            interpreter,
            tuple(needed),
            tuple(filter(None, rpath.split(":"))),
            tuple(filter(None, runpath.split(":"))),
            sum(segment["p_memsz"] for segment in elf.iter_segments("PT_TLS")),
        )


def code(path: Path) -> list[bytes]:
    """What of a file is loaded to be executed. Raises InputError as `read`."""
    with _opened(path) as elf:
        loaded = [s for s in elf.iter_segments("PT_LOAD") if s["p_flags"] & P_FLAGS.PF_X]
        largest = path.stat().st_size
        if any(segment["p_filesz"] > largest for segment in loaded):
            raise ValueError("a segment lies outside the file")
        return [segment.data() for segment in loaded]


@contextmanager
def _opened(path: Path) -> Iterator[ELFFile]:
    try:
        with path.open("rb") as file:
            yield ELFFile(file)
    except Exception as error:  # of a damaged file pyelftools raises whatever falls out
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> InputError:
    """The error of a file that begins as an ELF file and cannot be read."""
    return InputError(
        f"{path}: not an ELF file that can be read: {error}",
        hint="the file may be damaged; build it again",
    )


def machine_name(machine: int) -> str:
    """What ELF calls the machine of a file: "aarch64"; its number where it has no name."""
    names = {number: name for name, number in ENUM_E_MACHINE.items()}
    return str(names.get(machine, machine)).removeprefix("EM_").lower()
