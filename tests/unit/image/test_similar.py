"""Paths that are not there, and what is there instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.image.libraries import Sysroot
from nitro.image.similar import similar_path

FILES = (
    "usr/sbin/nginx",
    "usr/sbin/squid-gnutls",
    "usr/bin/redis-cli",
    "usr/bin/redis-server",
    "etc/nginx",
    "usr/bin/php8.4",
    "usr/share/mariadb/mysql",
    "usr/doc/mysql",
)


@pytest.fixture
def sysroot(tmp_path: Path) -> Sysroot:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Sysroot(tmp_path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/usr/bin/php", "/usr/bin/php8.4"),
        ("/usr/bin/nginx", "/usr/sbin/nginx"),
        ("/nowhere/bin/nginx", "/usr/sbin/nginx"),
        ("/usr/sbin/squid", "/usr/sbin/squid-gnutls"),
        ("/usr/bin/redis", None),
        ("/usr/share/mysql/", "/usr/share/mariadb/mysql"),
        ("/usr/bin/mysql", None),
        ("/usr/bin/[n]ginx", None),
        ("/", None),
    ],
)
def test_the_likeliest_file(sysroot: Sysroot, path: str, found: str | None) -> None:
    assert similar_path(sysroot, path) == found


def test_no_other_folder_of_this_machine_is_looked_at(sysroot: Sysroot) -> None:
    assert similar_path(sysroot, "/usr/bin/nginx", everywhere=False) is None
    assert similar_path(sysroot, "/usr/bin/php", everywhere=False) == "/usr/bin/php8.4"
