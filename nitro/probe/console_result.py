"""The client's archives as they come over the serial console, in lines of JSON: one of all results,
several times at the end, and before it one of each step, once, as it ends.

A console is shared with the kernel and other programs, keeps its last 64 KiB only, and may be
read in the middle of a line. So each line says to which archive it belongs, which part of it it
is, and has a checksum; all the lines of one archive make it up, whichever copies they are from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from nitro.console import milestones

CAPACITY = 30_000  # bytes of an archive that `amis/client/run-plan` writes to the console
LARGEST = 128 * 1024  # characters of a console that are looked at, from its end

_LINE = re.compile(
    r'\{"nitro":"(result|step)","sha256":"([0-9a-f]{64})","line":([1-9][0-9]?),"of":([1-9][0-9]?),'
    r'"check":"([0-9a-f]{64})","data":"([A-Za-z0-9+/]{1,2048}={0,2})"\}'
)


def read(text: str) -> bytes | None:
    """The archive, or None while not all of its lines are there undamaged. Raises nothing."""
    return next(reversed(_archives("result", text)), None)


def steps(text: str) -> list[bytes]:
    """The archives of single steps of which all lines are there undamaged. Raises nothing."""
    return _archives("step", text)


def error(text: str) -> str | None:
    """Why the client sends no archive, if it says so."""
    for milestone in milestones(text[-LARGEST:]):
        if milestone.name == "result" and "error" in milestone.fields:
            return str(milestone.fields["error"])
    return None


def _archives(wanted: str, text: str) -> list[bytes]:
    """The whole archives of a kind, in the order in which they begin."""
    archives: dict[tuple[str, str], dict[int, str]] = {}
    for kind, sha256, line, of, check, data in _LINE.findall(text[-LARGEST:]):
        if kind == wanted and check == _sha256(f"{sha256} {line} {of} {data}\n".encode()):
            archives.setdefault((sha256, of), {})[int(line)] = data
    whole = []
    for (sha256, of), lines in archives.items():
        found = _decode([lines.get(number, "") for number in range(1, int(of) + 1)])
        if found is not None and _sha256(found) == sha256:
            whole.append(found)
    return whole


def _decode(lines: list[str]) -> bytes | None:
    if not all(lines):
        return None
    try:
        return base64.b64decode("".join(lines), validate=True)
    except binascii.Error:
        return None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
