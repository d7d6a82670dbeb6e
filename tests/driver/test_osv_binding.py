"""The OSv binding without an OSv: it compiles, and it comes back when queues do.

`osv/stubs.hh` stands for all of OSv's headers. `benchmarks/osv/` runs the binding in a real kernel.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nitro.debian import Wanted, chroot, tree
from tests.driver.compiling import SOURCES

pytestmark = pytest.mark.driver
GXX = Wanted(("g++-12", "libc6-dev"), "bookworm")
FLAGS = ("-std=gnu++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
STUBS = Path(__file__).with_name("osv")


def compile_in(folder: Path, *arguments: str) -> None:
    """Run g++ with the binding at /build/osv, the core beside it and OSv's headers replaced."""
    for name in ("core", "osv"):
        shutil.copytree(SOURCES / name, folder / name)
    shutil.copytree(STUBS, folder / "osv", dirs_exist_ok=True)
    for source in (SOURCES / "osv").iterdir():
        for header in re.findall(r'#include [<"]((?:osv|bsd|drivers)/[^>"]+)', source.read_text()):
            path = folder / "include" / header
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('#include "stubs.hh"\n')
    where = ("-I/build/include", "-I/build/osv", '-DOSV_VERSION="v0.57.0"')
    chroot.run([tree(GXX)], ["g++-12", *FLAGS, *where, *arguments], folder)


def test_the_binding_compiles_without_a_warning(tmp_path: Path) -> None:
    sources = [f"/build/osv/{path.name}" for path in sorted((SOURCES / "osv").glob("*.cc"))]
    assert len(sources) == 5
    compile_in(tmp_path, "-fsyntax-only", *sources)


def test_queues_that_were_refused_are_asked_for_again(tmp_path: Path) -> None:
    """Every ten seconds, as long as the interface is up and has none."""
    compile_in(
        tmp_path, "-static", "-o", "/build/retry", "/build/osv/retry.cc", "/build/osv/net.cc"
    )
    done = subprocess.run([tmp_path / "retry"], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if "attempts" in line] == [
        "up in vain: 1 attempts, 0 resets, traffic 0, sends 0",
        "ten seconds later: 1 attempts, 1 resets, traffic 0, sends 0",
        "reset in vain: 4 attempts, 2 resets, traffic 0, sends 0",
        "reset: 5 attempts, 2 resets, traffic 1, sends 1",
        "down: 5 attempts, 2 resets, traffic 0, sends 0",
    ]
    assert done.stdout.count("creates no queues; trying again soon") == 2
