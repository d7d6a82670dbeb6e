"""`nitro build --explain`, with an OSv kernel that has no code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.runner import json_of, nitro_
from tests.unit.image import elves
from tests.unit.image.osv.kernel import SAMPLE, build

LINUX = "/lib64/ld-linux-x86-64.so.2"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with a library that is brought and one that the kernel plays."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    root = tmp_path / "root"
    elves.write(
        root / "usr/bin/server",
        needed=["libc.so.6", "liba.so.1"],
        interpreter=LINUX,
        imports=["printf", "fork"],
    )
    elves.write(root / "usr/lib/x86_64-linux-gnu/liba.so.1")
    (tmp_path / "loader.elf").write_bytes(build(SAMPLE, exports=["printf", "fork"]))
    nitro_("kernel", "add", "mine", str(tmp_path / "loader.elf"))
    path = tmp_path / "server.toml"
    path.write_text(
        'kernel = "osv"\nprograms = ["/usr/bin/server"]\n'
        f'sysroot = "{root}"\nextras = []\ndriver = "kernel"\nminimum_memory_mib = 512\n'
    )
    return path


def test_decisions_are_explained_also_when_the_image_is_there_already(recipe: Path) -> None:
    first = nitro_("build", str(recipe), "--explain")
    assert "calls fork: OSv has one process" in first.stderr
    again = nitro_("build", str(recipe), "--explain")
    assert "unchanged" in again.stdout
    lines = {" ".join(line.split()) for line in again.stdout.splitlines()}
    assert {
        "ABOUT CHOICE REASON",
        "kernel osv:mine, OSv v0.57.0-1-g0 it is the only one that was added",
        "launch osv it is linked dynamically, and the kernel exports all that it imports",
        "driver kernel asked for",
        "boot mode legacy-bios the default, which starts sooner than UEFI",
        "memory 512 MiB or more asked for",
        f"library without {LINUX} the guest has it anyway, for /usr/bin/server",
        "library without libc.so.6 the guest has it anyway, for /usr/bin/server",
    } <= lines
    assert any(line.startswith("warning /usr/bin/server") and "fork" in line for line in lines)
    [library] = [line for line in lines if "liba.so.1" in line]
    assert library.endswith("/usr/bin/server needs it")


def test_decisions_as_json(recipe: Path) -> None:
    document = json_of("build", "build", str(recipe), "--explain")
    subjects = [decision["subject"] for decision in document["decisions"]]
    assert subjects.index("kernel") < subjects.index("launch") < subjects.index("library")
    manifest = json.loads(Path(document["manifest"]).read_text())
    assert manifest["decisions"] == document["decisions"]
    assert "decisions" not in json_of("build", "build", str(recipe))
