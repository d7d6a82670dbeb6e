"""How a program is started on OSv: the three ways, and which one fits.

- "osv": by OSv's own linker, which takes the place of glibc's; the libraries that the kernel
  provides stay out of the image.
- "static": a static program, through system calls.
- "linux-ld": by Linux's dynamic linker with all of the program's libraries, glibc's too, through
  system calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nitro.arch import X86_64
from nitro.errors import InputError
from nitro.image.formats import elf
from nitro.image.libraries import Closure, Sysroot
from nitro.image.osv import demands, system_calls
from nitro.image.osv.demands import Demands, some
from nitro.image.osv.segment import Segment
from nitro.recipe import Launch

PLAYED = frozenset(
    {
        *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"),
        *("libresolv.so.2", "libcrypt.so.1", "libaio.so.1", "libutil.so.1"),
        *(Path(X86_64.loader).name, f"ld-musl-{X86_64.ec2}.so.1", f"libc.musl-{X86_64.ec2}.so.1"),
    }
)
"""The libraries (sonames) that the kernel itself provides."""

# Bytes of thread-local storage of a program that OSv's linker has room for in each thread, where
# the kernel was built as its Makefile says: app_local_exec_tls_size.
_THREAD_LOCAL = 512
# What releases up to v0.57.0 say of a static program before they halt.
_NOT_STATIC = b"Statically linked executables are not supported!"
# Without optimization OSv's copying of memory nests calls of these, deeper than the 256 bytes
# (arch-elf.hh) that it leaves on the stack below the arguments of a program's entry point.
_NESTED_COPY = b"\0_ZN16unaligned_copierI"
_DEBUG = (
    "the kernel was built without optimization (mode=debug), and its copying of memory overwrites "
    "its stack when it starts {}: a page fault; use a release build"
)
# What Linux's dynamic linker cannot do without.
_ESSENTIAL = frozenset({"arch_prctl", "brk", "mmap"})


@dataclass(frozen=True)
class Choice:
    """A way to start a program, why it was chosen, and what may not work, a line each."""

    launch: Launch
    why: str
    warnings: tuple[str, ...] = ()


def provides(name: str) -> bool:
    """Whether the kernel provides a library or an interpreter, by soname or path."""
    return PurePosixPath(name).name in PLAYED


def choose(
    path: str, program: Path, asked: Launch | None, sysroot: Sysroot, kernel: Segment
) -> Choice:
    """The way to start `program`, at `path` in the guest, or the way `asked` for by the recipe.

    Raises InputError for what OSv starts in no way, and for a way asked for that cannot be.
    """
    if not elf.is_elf(program):
        raise InputError(
            f"{program}: OSv starts ELF files only", hint="name the script's interpreter in command"
        )
    found = elf.read(program)
    dynamic = bool(found.interpreter or found.needed)
    if asked is not None and dynamic == (asked == "static"):
        is_not = "dynamically" if dynamic else "statically"
        raise InputError(
            f'{program}: launch = "{asked}" does not fit: it is linked {is_not}',
            hint="leave launch out, and nitro chooses",
        )
    if (not dynamic or asked == "linux-ld") and _NOT_STATIC in kernel.data:
        what = "Linux's linker" if dynamic else "static programs"
        raise InputError(
            f"{program}: the kernel does not start {what}: it is of v0.57.0 or older",
            hint="use a dynamically linked program" if not dynamic else "leave launch out",
        )
    if not dynamic:
        why = "asked for" if asked else "it is linked statically: no interpreter, no libraries"
        warnings = _static(path, demands.of_static(program, kernel))
        return Choice("static", why, (*_overwritten("a static program", kernel), *warnings))
    closure = Closure(sysroot, supplied=provides)
    closure.add(path, program, [])  # a library that is missing is refused when it is looked for
    lacks = demands.of_dynamic(path, program, closure.found, kernel)
    launch, why = (asked, "asked for") if asked else _dynamic(path, found, lacks, kernel)
    warnings = _warnings(path, lacks, launch, kernel)
    if launch == "linux-ld":
        warnings = (*_overwritten("Linux's linker", kernel), *warnings)
    return Choice(launch, why, warnings)


def _dynamic(path: str, found: elf.Object, lacks: Demands, kernel: Segment) -> tuple[Launch, str]:
    """How to start a program that is linked dynamically, and why."""
    reason = None
    own = [symbol for symbol, by in lacks.symbols.items() if by == path]
    if own:
        reason = f"the kernel does not export {some(own)}"
    elif found.thread_local > _THREAD_LOCAL:
        reason = (
            f"it has {found.thread_local} bytes of thread-local storage, and OSv's linker has room "
            f"for {_THREAD_LOCAL}"
        )
    elif lacks.reads_map:
        # procfs_maps: node 20 ends so when V8 starts, and not with Linux's linker.
        reason = (
            f"{lacks.reads_map} reads /proc/self/maps, which ends OSv when the name of a mapped "
            "file is gone"
        )
    if reason is None:
        return "osv", "it is linked dynamically, and the kernel exports all that it imports"
    if not system_calls.offered_by(kernel) >= _ESSENTIAL:
        return "osv", f"{reason}, but it has no system calls for Linux's linker, either"
    if _overwritten("", kernel):
        return "osv", f"{reason}, but a kernel built without optimization starts no other linker"
    return "linux-ld", reason


def _overwritten(what: str, kernel: Segment) -> tuple[str, ...]:
    """The warning of a kernel that ends when it starts `what` at its entry point."""
    return (_DEBUG.format(what),) if _NESTED_COPY in kernel.data else ()


def _warnings(path: str, lacks: Demands, launch: Launch, kernel: Segment) -> tuple[str, ...]:
    said = []
    if lacks.processes:
        said.append(_one_process(f"{path} calls {some(lacks.processes)}"))
    if lacks.symbols and launch == "osv":
        whose = some(dict.fromkeys(lacks.symbols.values()))
        way = ' (launch = "linux-ld" uses glibc\'s)'
        if _NOT_STATIC in kernel.data or _overwritten("", kernel):
            way = ""
        said.append(
            f"the kernel does not export {some(lacks.symbols)}, of {whose}: the program ends when "
            f"it uses one{way}"
        )
    return tuple(said)


def _static(path: str, lacks: Demands) -> tuple[str, ...]:
    said = []
    if lacks.processes:
        said.append(_one_process(f"{path} has the system calls {some(lacks.processes)}"))
    if lacks.calls:
        said.append(
            f"the kernel does not have {some(sorted(lacks.calls, key=_weight))} of the system "
            f"calls in {path}: they fail (ENOSYS)"
        )
    return tuple(said)


def _one_process(what: str) -> str:
    return f"{what}: OSv has one process, so that fails; let it serve in that one"


def _weight(call: str) -> tuple[bool, str]:
    """First what programs are built around."""
    return not call.startswith(("io_", "inotify", "memfd", "signalfd", "timer_")), call
