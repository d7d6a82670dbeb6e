"""Which Debian mirror this machine uses, according to its own apt configuration."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from nitro.errors import NitroError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
OS_RELEASE = Path("/etc/os-release")


@functools.cache
def archives() -> dict[str, str]:
    """The addresses of "debian" and, where configured, "debian-security", without final slash.

    Raises NitroError when this machine's apt knows no Debian archive.
    """
    codename = _codename()
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
            hint="nitro takes its packages from Debian; add one to /etc/apt/sources.list.d",
        )
    return found


def _codename() -> str:
    text = OS_RELEASE.read_text() if OS_RELEASE.exists() else ""
    lines = (line.partition("=") for line in text.splitlines())
    fields = {key: value.strip("\"'") for key, _, value in lines}
    if fields.get("ID") != "debian" or "VERSION_CODENAME" not in fields:
        name = fields.get("PRETTY_NAME", "this system")
        raise NitroError(f"{name} is not Debian", hint="run nitro on Debian 12 or newer")
    return fields["VERSION_CODENAME"]


def _run(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NitroError(f"{argv[0]} is not on this machine", hint="nitro needs apt") from None
    if done.returncode:
        raise NitroError(f"{' '.join(argv[:2])} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
