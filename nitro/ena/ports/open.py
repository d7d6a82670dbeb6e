"""Ports by their spelling on the command line: `tap:NAME`, `unix:PATH`, `fd:N`."""

from __future__ import annotations

import socket
from pathlib import Path

from nitro.ena.ports import Port
from nitro.ena.ports.stream import StreamPort
from nitro.ena.ports.tap import TapPort, is_tap
from nitro.errors import InputError


def open_port(text: str) -> Port:
    """Open the port that `text` names. Raises InputError, NitroError.

    `fd:N` is an inherited descriptor: a tap (opened with IFF_VNET_HDR) or a stream socket.
    """
    kind, _, what = text.partition(":")
    if kind == "tap" and what:
        return TapPort.open(what)
    if kind == "unix" and what:
        return StreamPort.connect(Path(what))
    if kind == "fd" and what.isdecimal():
        return _inherited(int(what))
    raise InputError(f"no port {text!r}", hint="use tap:INTERFACE, unix:PATH or fd:NUMBER")


def _inherited(descriptor: int) -> Port:
    if is_tap(descriptor):
        return TapPort(descriptor)
    try:
        return StreamPort(socket.socket(fileno=descriptor))
    except OSError as error:
        raise InputError(
            f"descriptor {descriptor} is neither a tap nor a socket: {error.strerror}"
        ) from error
