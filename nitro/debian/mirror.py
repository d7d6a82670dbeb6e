"""Which Debian mirror is used: the one that is set, or that of this machine's apt."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from nitro import config
from nitro.errors import InputError, NitroError

OS_RELEASE = Path("/etc/os-release")
SETTING = "NITRO_DEBIAN_MIRROR"  # or debian_mirror in nitro.toml
_EXAMPLE = "https://mirror.example/debian https://mirror.example/debian-security"
_PROGRAMS = {"apt-get": "apt", "dpkg-deb": "dpkg"}  # and their packages
_INSTALL = {"debian": "apt-get install", "fedora": "dnf install", "arch": "pacman -S"}


@functools.cache
def archives() -> dict[str, str]:
    """The addresses of "debian" and, where configured, "debian-security", without final slash.

    Raises NitroError when this machine lacks apt or dpkg, or when neither a setting nor its apt
    names a Debian archive, InputError for a setting that is no address.
    """
    fields = _os_release()
    if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
        raise NitroError(
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not on this machine",
            hint=_to_install([_PROGRAMS[program] for program in missing], fields),
        )
    if setting := config.load().debian_mirror:
        return _of_setting(setting)
    set_one = f"export {SETTING}='{_EXAMPLE}' with a mirror near you"
    codename = fields.get("VERSION_CODENAME")
    if fields.get("ID") != "debian" or not codename:
        name = fields.get("PRETTY_NAME", "this system")
        raise NitroError(f"{name} is not Debian, and no Debian mirror is set", hint=set_one)
    listing = _run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"])
    found: dict[str, str] = {}
    for line in listing.splitlines():
        release, _, uri = line.partition(" ")
        if release in (codename, "stable"):
            found.setdefault("debian", uri.rstrip("/"))
        elif release in (f"{codename}-security", "stable-security"):
            found.setdefault("debian-security", uri.rstrip("/"))
    if "debian" not in found:
        raise NitroError(
            f"apt on this machine has no source for Debian {codename}",
            hint=f"add one to /etc/apt/sources.list.d, or {set_one}",
        )
    return found


def _of_setting(setting: str) -> dict[str, str]:
    """One address, or two, the second of which is that of the security fixes."""
    addresses = setting.split()
    if len(addresses) > 2:
        raise InputError(f"{SETTING} has {len(addresses)} addresses", hint=f"such as '{_EXAMPLE}'")
    for address in addresses:
        try:
            parts = urlsplit(address)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https", "file") or not (parts.netloc or parts.path):
            raise InputError(
                f"{SETTING}: {address} is no address of a mirror", hint=f"such as '{_EXAMPLE}'"
            )
    names = ("debian", "debian-security")
    return {name: each.rstrip("/") for name, each in zip(names, addresses, strict=False)}


def _os_release() -> dict[str, str]:
    """https://www.freedesktop.org/software/systemd/man/latest/os-release.html"""
    text = OS_RELEASE.read_text() if OS_RELEASE.exists() else ""
    lines = (line.partition("=") for line in text.splitlines())
    return {key: value.strip("\"'") for key, _, value in lines}


def _to_install(packages: list[str], fields: dict[str, str]) -> str:
    """The command of this system that installs packages, where it is known."""
    names = " ".join(packages)
    families = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    for family in families:
        if command := _INSTALL.get(family):
            return f"nitro needs them to build: sudo {command} {names}"
    return f"nitro needs them to build: install the packages {names} of your distribution"


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NitroError(f"{' '.join(argv[:2])} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
