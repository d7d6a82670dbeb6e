"""The lock files of requirements/ answer what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "local": [*PROJECT["dependencies"], *EXTRAS["local"]],
    "dev": [*PROJECT["dependencies"], *EXTRAS["local"], *EXTRAS["dev"]],
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)((?: ;[^\\]*)?) \\$", re.M)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return {canonicalize_name(m[1]): m[2] for m in _PIN.finditer(text)}


@pytest.mark.parametrize("name", WANTED)
def test_the_lock_satisfies_the_project(name: str) -> None:
    pinned = pins(name)
    missing = [
        text
        for text in WANTED[name]
        if (wanted := Requirement(text)).specifier.contains(
            pinned.get(canonicalize_name(wanted.name), "0")
        )
        is False
    ]
    assert not missing, f"run `make lock`: {missing}"


@pytest.mark.parametrize("name", WANTED)
def test_every_pin_has_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=\S)", text)
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) == len(_PIN.findall(text)) > 20
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
