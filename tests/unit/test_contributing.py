"""CONTRIBUTING.md names files and symbols that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
FOLDERS = ("nitro/", "amis/", "drivers/", "lab/", "tests/", "benchmarks/", "tools/", "docs/")
TO_COME = ("NAME",)  # stands for a name that the reader chooses

# `file`: `symbol`, and each further symbol of the same sentence
WALK = re.compile(r"`([\w/.-]+\.py)`: (`[^:.]*)")


def paths() -> set[str]:
    words = re.findall(r"`([^`\s]+)`|\]\(([^)#]+)\)", TEXT)
    flat = {one or other for one, other in words}
    return {w for w in flat if w.startswith(FOLDERS) and not any(n in w for n in TO_COME)}


def walks() -> list[tuple[str, str]]:
    """(file, symbol) of each step whose file is followed by what to look for in it."""
    return [
        (file, symbol)
        for file, rest in WALK.findall(TEXT)
        for symbol in re.findall(r"`(\w+)`", rest)
    ]


@cache
def defined(file: str) -> set[str]:
    """Functions, classes, fields and constants of a module."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


@pytest.mark.parametrize("path", sorted(paths()))
def test_a_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("file", "symbol"), walks())
def test_a_symbol_is_defined_in_the_file_it_is_said_to_be_in(file: str, symbol: str) -> None:
    assert symbol in defined(file)


def test_each_walk_ends_at_what_it_is_about() -> None:
    assert {
        ("nitro/probe/tools/iperf3.py", "streams"),
        ("nitro/cli/instances.py", "_show"),
        ("nitro/ena/profiles/profile.py", "max_mtu"),
        ("nitro/image/linux/kernel.py", "_MODULES"),
    } <= set(walks())


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", TEXT))
    assert {"check", "test-fast", "mutants"} <= named <= targets


def test_the_architecture_page_names_every_part_of_nitro() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    package = ROOT / "nitro"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert not {name for name in modules if name not in page}
    assert not {name for name in folders if f"nitro/{name}/" not in page}


def test_every_file_that_a_page_names_exists() -> None:
    pages = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
    missing = {
        f"{page.name}: {path}"
        for page in pages
        for path in re.findall(
            r"`((?:nitro|amis|drivers|lab|tests|tools|benchmarks)/[\w/.-]+)`", page.read_text()
        )
        if not (ROOT / path).exists()
    }
    assert not missing
