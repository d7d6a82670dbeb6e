"""Packages whose scripts make what their programs expect, and which never run here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from nitro.paths import cache_dir

# What makes users, folders and links; all else registers, restarts or rebuilds something.
_MAKES = re.compile(
    r"\b(adduser|addgroup|useradd|groupadd|systemd-sysusers|systemd-tmpfiles|mkdir|install -d"
    r"|ln -s[a-z]*|update-alternatives|ucf|pg_createcluster|chown)\b"
)


def making(packages: Iterable[tuple[str, str]]) -> list[str]:
    """The names of those packages whose postinst makes users, folders, links or files.

    `packages`: name and SHA-256 of each. One that is no longer in the cache is passed over.
    """
    return sorted({name for name, digest in packages if _MAKES.search(_text(name, digest))})


def postinst(deb: Path) -> str:
    """The text of a package's postinst without its comments; "" when it has none."""
    command = ["dpkg-deb", "--info", "--", str(deb), "postinst"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = (line.partition("#")[0] for line in done.stdout.splitlines())
    return "\n".join(lines) if done.returncode == 0 else ""


def _text(name: str, digest: str) -> str:
    deb = cache_dir() / "debs" / f"{name}_{digest[:16]}.deb"
    return postinst(deb) if deb.is_file() else ""
