"""Can the local Nitro run on this machine? Each answer with its remedy. Changes nothing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from nitro.check import Check
from nitro.debian import mirror
from nitro.errors import NitroError
from nitro.paths import cache_dir

TUN = Path("/dev/net/tun")
_SPACE = 2 * 1024**3  # bytes: QEMU, firmware, packages and images, with room to spare


def examine() -> list[Check]:
    """All checks, in the order in which a start meets them."""
    return [_debian(), _moto(), _space(), tap_devices(), _namespaces()]


def _debian() -> Check:
    try:
        archives = mirror.archives()
    except NitroError as error:
        return Check("Debian archive", False, error.what, error.hint or "see the message")
    return Check("Debian archive", True, " and ".join(archives))


def _moto() -> Check:
    if importlib.util.find_spec("moto"):
        return Check("moto", True, "installed")
    return Check("moto", False, "not installed", "pip install 'nitro-ami[local]'")


def _space() -> Check:
    free = shutil.disk_usage(cache_dir()).free
    detail = f"{free / 1e9:.1f} GB free in {cache_dir()}"
    remedy = (
        ""
        if free >= _SPACE
        else "make room (`nitro cache prune`), or set NITRO_CACHE to another place"
    )
    return Check("disk space", not remedy, detail, remedy)


def tap_devices() -> Check:
    """Can instances be connected to a network?"""
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return Check(
            "tap devices", False, f"{TUN}: {error.strerror}", "modprobe tun, and let users open it"
        )
    return Check("tap devices", True, f"{TUN} can be opened")


def _namespaces(
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
    command: Sequence[str] = ("unshare", "--user", "--map-root-user", "--net", "true"),
) -> Check:
    if os.geteuid() == 0:
        command = ("unshare", "--net", "true")
    done = run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Check("network namespaces", True, " ".join(command[:-1]))
    return Check(
        "network namespaces",
        False,
        done.stderr.strip(),
        "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), or run as root",
    )
