"""The process that becomes a setup command, in namespaces of its own: started by setup.py.

It has all rights over its namespaces and gives them up before the command begins. It turns the
image's files into its root: after that, nothing of this machine has a path. See pivot_root(2),
capabilities(7) and mount(2).
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_BIND, _REC = 4096, 16384
_DETACH = 2
_CAPBSET_DROP, _NO_NEW_PRIVS, _CAP_AMBIENT, _CLEAR_ALL = 24, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522  # the third, with 64 bits for each set
_DEVICES = ("null", "zero", "full", "random", "urandom")


def main() -> NoReturn:
    asked = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    root = Path(asked["root"])
    try:
        _mount_all(root)
        os.chdir(root)
        _call(_LIBC.pivot_root, b".", b".")
        _call(_LIBC.umount2, b".", _DETACH)
    except OSError as error:
        sys.exit(f"mount: {error}")
    os.chdir("/")
    try:
        os.chdir(asked["place"])
    except OSError as error:
        sys.exit(f"working_directory {asked['place']}: {error.strerror}")
    _give_up_rights()
    os.umask(0o022)
    try:
        os.execvpe(asked["command"][0], asked["command"], asked["environment"])
    except OSError as error:
        print(f"{asked['command'][0]}: {error.strerror}", flush=True)
        sys.exit(127)


def _mount_all(root: Path) -> None:
    """Make the image's files a mount of their own, with devices and /proc."""
    devices, processes = root / "dev", root / "proc"
    for place in (devices, processes):
        if place.is_symlink():
            sys.exit(f"/{place.name} of the image is a link")
    _mount(root, root, flags=_BIND | _REC)
    # In a folder that all may write to, nobody may open another one's device with O_CREAT.
    _mount("tmpfs", devices, "tmpfs", _NOSUID, "mode=755")
    (devices / "shm").mkdir()
    _mount("tmpfs", devices / "shm", "tmpfs", _NOSUID | _NODEV)
    for name in _DEVICES:
        (devices / name).touch()
        _mount(f"/dev/{name}", devices / name, flags=_BIND)
    (devices / "fd").symlink_to("/proc/self/fd")
    try:
        # Read-only: as root's process, the command could set this machine's kernel.
        _mount("proc", processes, "proc", _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    except OSError:  # in a container whose own /proc is not whole
        print("this system lets nobody mount /proc: the command has none", flush=True)


def _give_up_rights() -> None:
    """Of every capability, so that not even root's command has one."""
    _call(_LIBC.prctl, _CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    last = 0
    while _LIBC.prctl(_CAPBSET_DROP, last, 0, 0, 0) == 0:  # an error: there is no such capability
        last += 1
    _call(_LIBC.prctl, _NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_LIBC.capset, struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24))


def _mount(
    source: str | Path, target: Path, kind: str = "", flags: int = 0, data: str = ""
) -> None:
    try:
        words = [os.fsencode(word) for word in (source, target, kind)]
        _call(_LIBC.mount, *words, ctypes.c_ulong(flags), data.encode())
    except OSError as error:
        raise OSError(error.errno, f"{target}: {error.strerror}") from None


def _call(function: object, *arguments: object) -> None:
    """Raises OSError."""
    assert callable(function)
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
