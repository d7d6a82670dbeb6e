"""Bytecode that no guest has to make, by an interpreter that stands in for the image's own."""

from __future__ import annotations

import marshal
import sys
from functools import partial
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

import pytest

from nitro.image import bytecode
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from tests.unit.cache_uses import used_kinds

NAME = f"python3.{sys.version_info.minor}"
TEXT = b"import os\nvalue = ('a', 'a', 1 << 70)\n"


@pytest.fixture
def rootfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rootfs:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    real = Path(sys.executable).resolve()
    interpreter = tmp_path / NAME
    interpreter.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    interpreter.chmod(0o755)
    made = Rootfs()
    made.add("/usr/bin/python3", Node("packages", "test", source=interpreter))
    for name, text in {"good.py": TEXT, "bad.py": b"def", "data.txt": b"x"}.items():
        (tmp_path / name).write_bytes(text)
        made.add(f"/app/{name}", Node("program", "test", source=tmp_path / name))
    return made


def compiled(rootfs: Rootfs) -> dict[str, bytes]:
    found = [path for path in rootfs.nodes if path.endswith(".pyc")]
    return {path: rootfs.read(path) for path in found}


def test_every_source_that_compiles_has_its_bytecode(
    rootfs: Rootfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Reporter()
    bytecode.add(rootfs, None, report)
    [(path, raw)] = compiled(rootfs).items()
    assert path == f"/app/__pycache__/good.cpython-3{sys.version_info.minor}.pyc"
    # PEP 552: hash-based, not checked
    assert raw[:16] == MAGIC_NUMBER + bytes([1, 0, 0, 0]) + source_hash(TEXT)
    assert marshal.loads(raw[16:]).co_filename == "/app/good.py"
    assert rootfs.nodes[path].layer == "program"
    bytecode.add(rootfs, None, report)
    assert [span.stage for span in report.timeline] == ["compile 2 Python files"]
    again = partial(bytecode.add, rootfs, None, report)
    assert used_kinds(again, monkeypatch) == {"bytecode"}
    assert compiled(rootfs) == {path: raw}


def test_what_another_machine_compiled_is_replaced(rootfs: Rootfs) -> None:
    stale = f"/app/__pycache__/good.cpython-3{sys.version_info.minor}.pyc"
    rootfs.add(stale, Node("program", "test", source=b"stale"))
    bytecode.add(rootfs, None, Reporter())
    assert rootfs.read(stale) != b"stale"


def test_without_an_interpreter_nothing_is_compiled(rootfs: Rootfs, tmp_path: Path) -> None:
    del rootfs.nodes["/usr/bin/python3"]
    bytecode.add(rootfs, None, Reporter())
    assert not compiled(rootfs)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


class Notes(Reporter):
    said = ""

    def note(self, text: str) -> None:
        self.said += text


@pytest.mark.parametrize("program", ["#!/bin/sh\necho no library >&2; exit 1\n", "\0\0"])
def test_an_interpreter_that_does_not_run_here_is_said(rootfs: Rootfs, program: str) -> None:
    source = rootfs.nodes["/usr/bin/python3"].source
    assert isinstance(source, Path)
    source.write_text(program)
    report = Notes()
    bytecode.add(rootfs, None, report)
    assert "each start will compile Python's sources: " in report.said
    assert not compiled(rootfs)
