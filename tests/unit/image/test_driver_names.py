"""A compiled driver is found again for the same sources, headers and packages, and no others."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.debian import Package, Tree
from nitro.errors import NitroError
from nitro.image.linux import driver as linux
from nitro.image.osv import driver as osv
from nitro.progress import Reporter

pytestmark = pytest.mark.extended

ONE = Package("gcc", "1", "amd64", "debian", "gcc.deb", 1, "a" * 64)
TWO = replace(ONE, name="make", sha256="b" * 64)


class Machine:
    """Stands for the compiler: counts its runs and keeps what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[tuple[list[str], list[str], list[str], dict[str, Any]]] = []
        self.error: NitroError | None = None
        monkeypatch.setattr("nitro.debian.chroot.run", self._run)

    def _run(self, trees: Sequence[Tree], command: list[str], folder: Path, **more: Any) -> str:
        names = [tree.root.name for tree in trees]
        inside = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        self.runs.append((names, command, inside, more))
        if self.error:
            raise self.error
        for name in (linux.MODULE, osv.MODULE):
            (folder / name).write_text(str(len(self.runs)))
        return ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    return Machine(monkeypatch)


def _sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    one, two = folder / "one.c", folder / "two.c"
    one.write_text("1")
    two.write_text("2")
    for module in (linux, osv):
        monkeypatch.setattr(module, "sources", lambda: [one, two])
    return one, two


def test_for_linux(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = _sources(tmp_path, monkeypatch)
    seen: set[Path] = set()

    def compiled(release: str, headers: tuple[Package, ...], tools: tuple[Package, ...]) -> bool:
        """Whether the compiler ran."""
        before = len(machine.runs)
        known = linux.cached(release, headers, tools)
        trees = Tree(tmp_path / "headers", headers), Tree(tmp_path / "tools", tools)
        found = linux.compile_module(release, *trees, Reporter())
        assert found == linux.cached(release, headers, tools)
        assert (known is None) == (len(machine.runs) > before) == (found not in seen)
        assert known is not None or found.read_text() == str(len(machine.runs))
        seen.add(found)
        return known is None

    assert compiled("6.1", (ONE,), (TWO,))
    assert not compiled("6.1", (ONE,), (TWO,))
    for release, headers, tools in (
        ("6.2", (ONE,), (TWO,)),
        ("6.1", (TWO,), (TWO,)),
        ("6.1", (ONE,), (ONE,)),
        ("6.1", (TWO,), (ONE,)),
        ("6.1", (ONE, TWO), (TWO,)),
    ):
        assert compiled(release, headers, tools)
    two.write_text("22")
    assert compiled("6.1", (ONE,), (TWO,))
    two.write_text("2")
    assert not compiled("6.1", (ONE,), (TWO,))
    one.write_text("2")
    two.write_text("1")
    assert compiled("6.1", (ONE,), (TWO,))
    own = tmp_path / "driver.py"
    own.write_text("the code that compiles it")
    monkeypatch.setattr(linux, "__file__", str(own))
    assert compiled("6.1", (ONE,), (TWO,))
    assert not compiled("6.1", (ONE,), (TWO,))
    names, command, inside, more = machine.runs[0]
    assert names == ["tools", "headers"]
    assert command[:2] == ["dash", "-ec"]
    assert "-C /usr/src/linux-headers-6.1 M=/build " in command[2]
    assert {"Kbuild", "core", "linux"} <= set(inside)
    assert more["environment"]["KBUILD_BUILD_HOST"] == "nitro"


def test_for_osv(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    _, two = _sources(tmp_path, monkeypatch)
    archive = tmp_path / "headers.tar.gz"

    def written(name: str) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as packed:
            packed.addfile(tarfile.TarInfo(name))
        archive.write_bytes(out.getvalue())

    def compiled(tools: tuple[Package, ...]) -> bool:
        known = osv.cached(archive, tools)
        found = osv.compile_module(archive, "v1", Tree(tmp_path / "tools", tools), Reporter())
        assert found == osv.cached(archive, tools)
        assert known is not None or found.read_text() == str(len(machine.runs))
        return known is None

    written("a.h")
    assert compiled((ONE,))
    assert not compiled((ONE,))
    assert compiled((TWO,))
    assert compiled((ONE, TWO))
    two.write_text("22")
    assert compiled((ONE,))
    two.write_text("2")
    assert not compiled((ONE,))
    written("b.h")
    assert compiled((ONE,))
    own = tmp_path / "driver.py"
    own.write_text("the code that compiles it")
    monkeypatch.setattr(osv, "__file__", str(own))
    assert compiled((ONE,))
    assert not compiled((ONE,))
    names, command, inside, more = machine.runs[0]
    assert (names, more) == (["tools"], {})
    assert command[:2] == ["dash", "-ec"]
    assert {"core", "osv", "objects", "headers", "headers/a.h"} <= set(inside)


@pytest.mark.parametrize("hint", [None, "its own"])
def test_what_the_compiler_says_of_osv_is_told(
    tmp_path: Path, machine: Machine, hint: str | None
) -> None:
    archive = tmp_path / "headers.tar"
    with tarfile.open(archive, "w"):
        pass
    machine.error = NitroError("gcc failed", hint=hint)
    with pytest.raises(NitroError) as refused:
        osv.compile_module(archive, "v0.56", Tree(tmp_path / "tools", (ONE,)), Reporter())
    assert refused.value.what == "the ENA driver does not compile for OSv v0.56: gcc failed"
    assert refused.value.hint == (hint or "it is for v0.57.0 and later")
    assert osv.cached(archive, (ONE,)) is None
    assert all(path.is_file() for path in osv.sources())
    assert {"core", "osv"} == {path.parent.name for path in osv.sources()} & {"core", "osv"}


def test_all_of_a_driver_is_its_source() -> None:
    names = {path.name for path in linux.sources()}
    assert "Kbuild" in names
    assert {path.name for path in osv.sources()} & names, "both have the core"
    assert len(linux.sources()) == len(set(linux.sources())) > 3
