"""Packages of libraries, by Debian's rules and what its lists have."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.arch import X86_64
from nitro.debian import names, package_of

LISTED = frozenset(
    {
        "libssl3t64",
        "zlib1g",
        "libpq5",
        "libgcc-s1",
        "libstdc++6",
        "libglib2.0-0t64",
        "libpython3.13",
        "libusb-1.0-0",
    }
)


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libssl.so.3", "libssl3t64"),
        ("libcrypto.so.3", "libssl3t64"),
        ("libz.so.1", "zlib1g"),
        ("libpq.so.5", "libpq5"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libglib-2.0.so.0", None),
        ("libpython3.13.so.1.0", "libpython3.13"),
        ("libusb-1.0.so.0", "libusb-1.0-0"),
        ("libjvm.so", None),
        ("not a library", None),
    ],
)
def test_names(soname: str, package: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_known", lambda root: LISTED)
    assert package_of(soname, "trixie", X86_64) == package


def test_without_lists_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    assert package_of("libssl.so.3", "trixie", X86_64) is None
