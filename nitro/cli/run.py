"""`nitro run`: boot an image here, its console on this terminal."""

from __future__ import annotations

import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options, recipe_arg
from nitro.cli.output import reporter, say
from nitro.errors import InputError, NitroError

if TYPE_CHECKING:
    from nitro.image import Image


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    recipe: options.RecipeName,
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    forward: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--forward",
            metavar="HOST:GUEST",
            help="Port of this machine to one of the guest.",
        ),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="MiB of memory; default: what it needs.")
    ] = None,
    vcpus: Annotated[int, typer.Option(help="Virtual CPUs.")] = 1,
    uefi: Annotated[bool, typer.Option("--uefi", help="Boot by UEFI instead of BIOS.")] = False,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Afterwards list the files that were sought and not found."),
    ] = False,
    locked: options.Locked = False,
    verbose: options.Verbose = False,
) -> None:
    """Boot an image on this machine with the console attached; Ctrl-] leaves."""
    from nitro import image

    forwards = _forwards(forward or [])
    report = reporter()
    made = recipe_arg.find(recipe, port, env, arguments)
    built = image.build(made, report=report, locked=locked, trace=missing)
    report.close()
    console = _boot(built, forwards, memory or built.minimum_memory_mib, vcpus, uefi=uefi)
    if missing:
        from nitro.image.trace import missing_files

        for path in missing_files(console.decode(errors="replace")):
            print(path)


def _boot(
    built: Image, forwards: dict[int, int], memory_mib: int, vcpus: int, *, uefi: bool
) -> bytes:
    """Returns what the machine wrote on its console."""
    from nitro.local import accel, attach, nic, qemu

    emulator = qemu.find()
    for outside, inside in forwards.items():
        say(f"127.0.0.1:{outside} → port {inside} of the machine")
    say("Ctrl-] leaves")
    with tempfile.TemporaryDirectory(prefix="nitro-run-") as name:
        folder = Path(name)
        disk = folder / "disk"
        disk.write_bytes(built.path.read_bytes())
        machine = qemu.Machine(
            disk=disk,
            vcpus=vcpus,
            memory_mib=memory_mib,
            boot_mode="uefi" if uefi else "legacy-bios",
            accelerator=accel.best(emulator),
            cards=(nic.UserNic(forwards).card,),
            extra=("-no-reboot",),
        )
        with qemu.boot(emulator, machine, folder, pipes=True) as process:
            console = attach.attach(process, sys.stdin.fileno(), sys.stdout.fileno())
            if process.poll() not in (None, 0):
                raise NitroError(f"QEMU failed: {(folder / 'qemu.log').read_text().strip()}")
    return console


def _forwards(words: list[str]) -> dict[int, int]:
    """Raises InputError for what is not HOST:GUEST, or for a port that is taken here."""
    forwards = {}
    for word in words:
        outside, _, inside = word.partition(":")
        if not outside.isdecimal() or not inside.isdecimal():
            raise InputError(f"--forward {word} is not HOST:GUEST", hint="such as 8080:80")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(outside)))
            except (OSError, OverflowError) as error:
                raise InputError(
                    f"--forward {word}: port {outside} of this machine: {error}",
                    hint="choose another one",
                ) from None
        forwards[int(outside)] = int(inside)
    return forwards
