"""One ENA card in one process: everything that `nitro device serve` does."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from nitro.ena import profiles
from nitro.ena import shape as shapes
from nitro.ena.constants import MAX_QUEUES
from nitro.ena.native.loop import choose
from nitro.ena.ports.open import open_port
from nitro.ena.trace import Trace
from nitro.ena.vfio.server import Server
from nitro.errors import InputError, NitroError
from nitro.printable import printable

OFFLOADS = ("profile", "all")


def serve(
    socket: Path,
    *,
    port: str,
    profile: str = "c5",
    mac: str | None = None,
    queues: int | None = None,
    llq: bool = True,
    map_llq: bool = False,
    offloads: str = "profile",
    shape: str | None = None,
    strict: bool = False,
    trace: Path | None = None,
    control: Path | None = None,
    once: bool = False,
    report: Callable[[str], None] | None = None,
) -> None:
    """Serve a card at the vfio-user socket `socket` until SIGTERM, SIGINT or, with `once`, until
    its first client leaves.

    `port` is the cable (`tap:IF`, `unix:PATH`, `fd:N`), `profile` the name of one or an
    instance type, `queues` the number of queue pairs (default: the profile's); without `llq` the
    card has none even if its profile does, and with `map_llq` the client may map its memory
    (`Session` has what follows). `offloads` is "profile" for those of the profile or
    "all" for every one there is, merged segments included. `shape` is what the type allows, such
    as "in=500M,out=500M,packets=20K" (see `shape.py`). `trace` is a file for the dialogue (frames
    go to `trace` + ".pcapng"), `control` a socket for commands (see `control.py`). `report` takes
    lines for people, by default written to stderr.

    Raises InputError for bad values, NitroError if a socket or tap cannot be had.
    """
    card = profiles.find(profile)
    address = parse_mac(mac) if mac else default_mac(socket)
    if queues is not None:
        if not 1 <= queues <= MAX_QUEUES:
            raise InputError(f"{queues} queue pairs; a card has 1 to {MAX_QUEUES}")
        card = replace(card, queues=queues)
    if offloads not in OFFLOADS:
        raise InputError(f"no offloads named {offloads!r}", hint="known: " + ", ".join(OFFLOADS))
    if offloads == "all":
        card = profiles.with_all_offloads(card)
    if not llq:
        if card.llq_only:
            raise InputError(f"cards of profile {profile} have no queues but LLQ")
        if map_llq:
            raise InputError("a card without LLQ has no LLQ memory to map")
        card = replace(card, llq=False)
    with ExitStack() as stack:
        tracer = stack.enter_context(_tracing(trace)) if trace else None
        cable = open_port(port)
        stack.callback(cable.close)
        server = Server(
            socket,
            card,
            address,
            cable,
            shape=shapes.parse(shape) if shape else None,
            strict=strict,
            report=report or _to_stderr,
            trace=tracer,
            loop=choose(),
            map_llq=map_llq,
        )
        stack.callback(server.close)
        if control is not None:
            from nitro.ena.control import Control

            listening = Control(control)
            stack.callback(listening.close)
            server.watched.append(listening)
        with _until_signal():
            server.run(once=once)


def parse_mac(text: str) -> bytes:
    """Six bytes of `02:00:00:00:00:01`. Raises InputError."""
    try:
        mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6 or mac[0] & 1:
        raise InputError(
            f"{text!r} is not a MAC address for a card", hint="such as 02:00:00:00:00:01"
        )
    return mac


def default_mac(socket: Path) -> bytes:
    """A locally administered address that stays the same for the same socket path."""
    digest = hashlib.blake2s(str(socket.resolve()).encode(), digest_size=5).digest()
    return b"\x02" + digest


@contextmanager
def _tracing(path: Path) -> Iterator[Trace]:
    from nitro.ena.pcapng import PcapngWriter

    frames = path.with_name(path.name + ".pcapng")
    try:
        with path.open("w") as out, frames.open("wb") as packets:
            yield Trace(out, PcapngWriter(packets))
    except OSError as error:
        raise NitroError(f"cannot write the trace {path}: {error.strerror}") from error


class _Stop(Exception):
    """SIGTERM or SIGINT."""


@contextmanager
def _until_signal() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stop

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stop:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _to_stderr(line: str) -> None:
    print(printable(f"ena: {line}"), file=sys.stderr, flush=True)
