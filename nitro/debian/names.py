"""Which package has a library, by the rules that Debian names its packages by.

Facts from Debian Policy 8.1: the package of libfoo.so.3 is called libfoo3, that of
libfoo2.so.3 libfoo2-3; since the change to 64-bit times, many have the suffix t64.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nitro.arch import Arch
from nitro.paths import cache_dir

# Where the package is called by another name than its library.
_OTHERS = {
    "libz.so.1": "zlib1g",
    "libcrypto.so.3": "libssl3",
    "libicuuc.so.76": "libicu76",
    "libicui18n.so.76": "libicu76",
    "libicudata.so.76": "libicu76",
    "libgomp.so.1": "libgomp1",
}


def package_of(soname: str, suite: str, arch: Arch) -> str | None:
    """The package of `suite` that has the library `soname`; None when the lists name none.

    Only lists that were fetched before are read.
    """
    root = cache_dir() / "apt" / arch.debian / suite
    known = _known(root)
    return next((name for name in _candidates(soname) if name in known), None)


def _candidates(soname: str) -> Iterator[str]:
    match = re.fullmatch(r"(lib[A-Za-z0-9_+.-]+?)\.so(?:\.([0-9A-Za-z.]+))?", soname)
    if match is None:
        return
    base = match[1].lower().replace("_", "-")
    version = match[2] or ""
    names = [_OTHERS.get(soname, "")]
    for number in dict.fromkeys((version, version.partition(".")[0])):
        separator = "-" if base[-1:].isdigit() and number else ""
        names.append(f"{base}{separator}{number}")
    names.append(base)
    for name in filter(None, names):
        yield from (f"{name}t64", name)


@cache
def _known(root: Path) -> frozenset[str]:
    configuration = root / "apt.conf"
    if not configuration.is_file():
        return frozenset()
    done = subprocess.run(
        ["apt-cache", "pkgnames"],
        env={**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return frozenset(done.stdout.split())
