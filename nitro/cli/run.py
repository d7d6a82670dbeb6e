"""`nitro run`: boot an image here, its console on this terminal."""

from __future__ import annotations

import shlex
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options, recipe_arg
from nitro.cli.output import reporter, say
from nitro.errors import InputError, NitroError
from nitro.ports import Forward, Protocol

if TYPE_CHECKING:
    from nitro.image import Image
    from nitro.local.attach import ConsoleSession


_ROOM = 512  # MiB for the program, of which QEMU takes from this machine only what is used

_SIGNALS = 128  # statuses from here on are of programs that a signal ended

# How the guest's init is asked for a shell: a field of DMI that it looks at.
_SHELL = ("-smbios", "type=1,sku=nitro-shell")


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    recipe: options.RecipeName,
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    kernel: options.Kernel = None,
    driver: options.Driver = None,
    forward: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--forward",
            metavar="HOST:GUEST",
            help="Forward a port of this machine to one of the guest, such as 8080:80 or "
            "udp:5353:53; repeat for more.",
        ),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="MiB of memory; default: the image's minimum, and 512 more.")
    ] = None,
    vcpus: Annotated[int, typer.Option(help="Virtual CPUs.")] = 1,
    uefi: Annotated[bool, typer.Option("--uefi", help="Boot by UEFI instead of BIOS.")] = False,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="At the end, list the files that the program looked for and did not find.",
        ),
    ] = False,
    strace: Annotated[
        str | None,
        typer.Option(
            "--strace",
            metavar="PATTERN",
            help="Trace the program's system calls whose names begin so (open, syscall* for all) "
            "on the console, and count them at the end.",
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Add files and packages that the program lacks, until it listens or ends well.",
        ),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="With --complete: keep them in the recipe's file.")
    ] = False,
    shell: Annotated[
        bool,
        typer.Option("--shell", help="Start a shell in the guest instead of the program."),
    ] = False,
    locked: options.Locked = False,
    verbose: options.Verbose = False,
) -> None:
    """Boot an image on this machine with its console; Ctrl-] exits.

    QEMU starts Linux itself, which saves the time that GRUB would take to read the disk; with
    --uefi, and where `nitro deploy` launches it, the machine boots from the disk.

    The exit code is the program's own status, 128 + n for signal n, or 125 where nitro or the
    machine failed.
    """
    memory, vcpus = options.memory(memory), options.vcpus(vcpus)
    forwards = _forwards(forward or [])
    if shell and (missing or complete):
        raise InputError(
            "--shell excludes --missing and --complete", hint="the program does not run then"
        )
    if strace and (missing or complete or shell):
        raise InputError(
            "--strace excludes --missing, --complete and --shell", hint="run them one by one"
        )
    if write and not complete:
        raise InputError("--write is for --complete", hint="give both, or neither")
    from nitro import image
    from nitro.cli import run_end, run_missing
    from nitro.cli import strace as strace_table
    from nitro.recipe import with_trace
    from nitro.strace import calls, totals

    report = reporter()
    made = recipe_arg.find(recipe, port, env, arguments, kernel, driver, report=report)
    if strace is not None:
        made = with_trace(made, strace)
    if made.flavour == "osv" and (shell or uefi):
        option, lacks = ("--shell", "has no shell") if shell else ("--uefi", "boots by BIOS only")
        raise InputError(f"{option}: OSv {lacks}", hint="leave it out, or --kernel linux")
    if complete:

        def boot(built: Image) -> str:
            report.close()
            decided = partial(run_missing.decided, made)
            size = memory or built.minimum_memory_mib + _ROOM
            session = _boot(
                built,
                forwards,
                size,
                vcpus,
                uefi=uefi,
                decided=decided,
                settle=run_missing.SETTLE,
            )
            return session.written.decode(errors="replace")

        good = run_missing.complete(made, boot, report, locked=locked, write=write)
        raise typer.Exit(0 if good else NitroError.exit_code)
    if shell:
        say(f"the program's command is: {shlex.join(made.argv)}")
    built = image.build(made, report=report, locked=locked, trace=missing)
    report.close()
    memory_mib = memory or built.minimum_memory_mib + _ROOM
    if memory_mib < built.minimum_memory_mib:
        raise InputError(
            f"--memory {memory_mib} is too little: the image needs {built.minimum_memory_mib} MiB",
            hint="leave it out for that",
        )
    session = _boot(built, forwards, memory_mib, vcpus, uefi=uefi, shell=shell)
    console = session.written.decode(errors="replace")
    if missing:
        run_missing.show(made, built, console)
    if made.strace:
        strace_table.show(totals(calls(console)))
    if session.left and not shell:
        run_end.explain_silence(console, made.tcp_ports)
        if not run_missing.went_well(made, console):
            run_end.explain_scripts(made, built)
    if session.left:
        return
    status = run_end.status(console, memory_mib)
    if status:
        run_end.explain_scripts(made, built)
        if status < _SIGNALS and not missing and made.flavour == "linux":
            say("       --missing lists the files that the program looked for and did not find")
    raise typer.Exit(status)


def _boot(
    built: Image,
    forwards: list[Forward],
    memory_mib: int,
    vcpus: int,
    *,
    uefi: bool,
    shell: bool = False,
    decided: Callable[[str], bool] = lambda _: False,
    settle: float = 0,
) -> ConsoleSession:
    """Run a machine until it ends, loops, or `settle` seconds after its console shows that all is
    `decided`.
    """
    from nitro import ending, space
    from nitro.image.linux import direct
    from nitro.local import accel, attach, nic, qemu

    emulator = qemu.find()
    for forward in forwards:
        say(f"127.0.0.1 {forward.host}/{forward.protocol} → port {forward.guest} of the machine")
    card = nic.UserNic(forwards)
    if not card.isolated:
        say("a UDP port is forwarded: the machine reaches this host and its network, too")
    say("Ctrl-] exits")

    def is_over(written: bytes) -> bool:
        console = written.decode(errors="replace")
        looping = ending.crash_loop(ending.endings(console))
        return looping or bool(ending.panic(console)) or decided(console)

    with tempfile.TemporaryDirectory(prefix="nitro-run-") as name:
        folder = Path(name)
        disk = folder / "disk"
        with space.writing(folder):
            disk.write_bytes(built.path.read_bytes())
        linux = None if uefi else direct.unpack(built, folder)
        speed = accel.best(emulator)
        machine = qemu.Machine(
            disks=(qemu.Disk(disk),),
            vcpus=vcpus,
            memory_mib=memory_mib,
            boot_mode="uefi" if uefi else "legacy-bios",
            accelerator=speed,
            hpet=qemu.needs_hpet(disk, speed),
            cards=(card.card,),
            kernel=linux.kernel if linux else None,
            initrd=linux.initrd if linux else None,
            append=linux.command_line if linux else "",
            extra=("-no-reboot", *(_SHELL if shell else ())),
        )
        with qemu.boot(emulator, machine, folder, pipes=True) as process:
            session = attach.attach(
                process, sys.stdin.fileno(), sys.stdout.fileno(), enough=is_over, settle=settle
            )
            if process.poll() not in (None, 0):
                raise NitroError(f"QEMU failed: {(folder / 'qemu.log').read_text().strip()}")
    return session


def _forwards(words: list[str]) -> list[Forward]:
    """Raises InputError for what is not a forward, or when its port of this machine is taken."""
    forwards: list[Forward] = []
    for word in words:
        try:
            forward = Forward.parse(word)
        except InputError as error:
            raise InputError(f"--forward {error.what}", hint=error.hint) from None
        outside = (forward.protocol, forward.host)
        problem = _unusable(*outside)
        if outside in [(other.protocol, other.host) for other in forwards]:
            problem = "forwarded twice"
        if problem:
            raise InputError(
                f"--forward {word}: port {forward.host} of this machine: {problem}",
                hint="choose another one",
            )
        forwards.append(forward)
    return forwards


def _unusable(protocol: Protocol, number: int) -> str | None:
    """Why a port of 127.0.0.1 cannot be listened on; None when it can."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(type=kind) as probe:
        if protocol == "tcp":  # a connection that was closed just now is not in the way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            return error.strerror
    return None
