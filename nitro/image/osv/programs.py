"""How a program is started on OSv: the three ways, and which one fits.

- "osv": by OSv's own linker, which plays glibc; the libraries that it plays stay out of the image.
- "static": a static program, through system calls.
- "linux-ld": by Linux's dynamic linker with all of the program's libraries, glibc's too, through
  system calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nitro.arch import X86_64
from nitro.errors import InputError
from nitro.image.formats import elf
from nitro.recipe import Launch

PLAYED = frozenset(
    {
        *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"),
        *("libresolv.so.2", "libcrypt.so.1", "libaio.so.1", "libutil.so.1"),
        *(Path(X86_64.loader).name, f"ld-musl-{X86_64.ec2}.so.1", f"libc.musl-{X86_64.ec2}.so.1"),
    }
)
"""The libraries (sonames) that the kernel itself plays."""


@dataclass(frozen=True)
class Choice:
    """A way to start a program, and why it was chosen."""

    launch: Launch
    why: str


def choose(program: Path, wish: Launch | None) -> Choice:
    """The way to start `program`, or the one that the recipe wishes.

    Raises InputError for what OSv starts in no way, and for a wish that cannot be.
    """
    if not elf.is_elf(program):
        raise InputError(
            f"{program}: OSv starts ELF files only", hint="name the script's interpreter in command"
        )
    found = elf.read(program)
    dynamic = bool(found.interpreter or found.needed)
    if wish is not None:
        if dynamic == (wish == "static"):
            is_not = "dynamically" if dynamic else "statically"
            raise InputError(
                f'{program}: launch = "{wish}" does not fit: it is linked {is_not}',
                hint="leave launch out, and nitro chooses",
            )
        return Choice(wish, "the recipe says so")
    if not dynamic:
        return Choice("static", "it is linked statically: no interpreter, no libraries")
    return Choice("osv", f"it is linked dynamically, for {found.interpreter}")
