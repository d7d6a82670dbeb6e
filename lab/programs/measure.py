"""A program, built and booted as a new user would."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from lab.image import Booted, booted
from lab.programs.case import Case
from nitro import container, ending, image, recipe
from nitro.image import Image
from nitro.image.linux import direct
from nitro.ports import Port
from nitro.progress import Reporter
from nitro.recipe import Recipe

TIMEOUT = 150.0  # seconds, on a machine that does other work as well

_CLOSE = 0.05  # of the computed memory; the search for the smallest ends there
_NEAR = 1.2  # times the smallest: what is computed is to be at most that
_PAGES = 4  # MiB; a machine has a multiple of these


def made(case: Case, folder: Path) -> Recipe:
    """The recipe of `case`, whose files are written to `folder`."""
    for name, text in case.files.items():
        (folder / name).write_text(text)
    case.make(folder)
    kind, colon, place = case.program.partition(":")
    ports = [Port("tcp", case.port)]
    if colon:
        return container.complete(recipe.for_container(f"{kind}:{folder / place}"))
    if recipe.is_script(str(folder / case.program)):
        return recipe.for_script(folder / case.program, ports=ports)
    if case.program:
        return recipe.for_program(folder / case.program, ports=ports)
    path = folder / "program.toml"
    path.write_text(case.recipe)
    return container.complete(recipe.load(path))


def measured(case: Case, *, bisect: bool = False) -> dict[str, Any]:
    """Build and boot `case` as `nitro run` does, and ask it until it answers.

    With `bisect`, `found_mib` is the memory of the smallest machine on which it answers, by
    bisection between half of what nitro computed and that. The machines then boot from the disk, as
    an instance does: GRUB's copy of the files needs its place, too.

    Raises NitroError when it cannot be built, AssertionError when it does not answer.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = image.build(made(case, folder), report=Reporter())
        memory_mib = built.minimum_memory_mib
        started = {} if bisect else _as_run_starts(built, folder)
        seconds = _seconds(case, built, folder, memory_mib, TIMEOUT, **started)
        found = {"found_mib": _smallest(case, built, folder, seconds)} if bisect else {}
    return {
        "family": case.family,
        "lines": case.lines,
        "image_mb": round(built.size_bytes / 1e6, 1),
        "memory_mib": built.minimum_memory_mib,
        **found,
        "seconds": round(seconds, 1),
        "date": date.today().isoformat(),
    }


def _smallest(case: Case, built: Image, folder: Path, seconds: float) -> int:
    """The first try tells whether what was computed is as near as it is to be."""
    low, high = built.minimum_memory_mib // 2, built.minimum_memory_mib
    close = max(_PAGES, int(built.minimum_memory_mib * _CLOSE))
    middle = int(high / _NEAR) // _PAGES * _PAGES
    while high - low > close:
        try:
            _seconds(case, built, folder, middle, 3 * seconds + 15)
        except AssertionError:
            low = middle
        else:
            high = middle
        middle = (low + high) // 2 // _PAGES * _PAGES
    return high


def _seconds(
    case: Case, built: Image, folder: Path, memory_mib: int, patience: float, **machine: Any
) -> float:
    """How long a machine with so much memory takes until its first right answer."""
    (folder / "console").unlink(missing_ok=True)  # of the machine before
    started = time.monotonic()
    with booted(built, folder, memory_mib=memory_mib, **machine) as running:
        _until_answer(case, running, started + patience)
        return time.monotonic() - started


def _as_run_starts(built: Image, folder: Path) -> dict[str, Any]:
    """What QEMU is given by `nitro run` instead of a disk to boot from."""
    linux = direct.unpack(built, folder)
    assert linux is not None
    return {"kernel": linux.kernel, "initrd": linux.initrd, "append": linux.command_line}


def _until_answer(case: Case, machine: Booted, deadline: float) -> None:
    while time.monotonic() < deadline:
        if machine.process.poll() is not None or _is_hopeless(machine.console):
            break
        # QEMU accepts a connection before the guest does, and would keep it waiting for seconds.
        if '"nitro":"ready"' in machine.console:
            with contextlib.suppress(OSError):
                if case.answer in _ask(machine, case):
                    return
        time.sleep(0.2)
    end = "\n".join(machine.console.splitlines()[-15:])
    raise AssertionError(f"no answer; the console ends with:\n{end}")


def _is_hopeless(console: str) -> bool:
    """A machine with too little memory panics, or ends the program, which starts again."""
    return bool(ending.panic(console)) or console.count('"nitro":"exit"') > 1


def _ask(machine: Booted, case: Case) -> bytes:
    found = b""
    with socket.create_connection(("127.0.0.1", machine.ports[case.port]), timeout=5) as client:
        client.sendall(case.ask)
        while case.answer not in found and (block := client.recv(65536)):
            found += block
    return found
