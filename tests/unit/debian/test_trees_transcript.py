"""Sets of packages: what is resolved, pinned, downloaded, unpacked and said, step by step."""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.debian import Lock, Package, Tree, Wanted, apt, resolve, tree, trees
from nitro.errors import NitroError
from nitro.progress import Reporter, Stage
from tests.transcripts import compare

from .conftest import MakePackage

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
ONE, TWO, ONLY = Wanted(("one",)), Wanted(("two", "shared")), Wanted(("one",), closure=False)
OTHER = Wanted(("old",), "bookworm")
MODULE = importlib.import_module("nitro.debian.trees")  # the package has a function of the name


class Heard(Reporter):
    """Keeps notes; the statuses of stages are kept by `Said`."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _below(root: Path) -> str:
    lines = []
    for path in sorted(root.rglob("*")):
        mode = stat.filemode(path.lstat().st_mode)
        what = f"-> {path.readlink()}" if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            what = repr(path.read_text())
        lines.append(f"    /{path.relative_to(root)} {mode} {what}\n")
    return "".join(lines)


def test_sets(
    pool: Path, make_package: MakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = "update-alternatives --install /usr/bin/tool tool /usr/bin/{} {}\n"
    shared = make_package(
        "shared", {"lib/shared": "s", "usr/bin/b": "b"}, postinst=offer.format("b", 2)
    )
    one = make_package("one", {"usr/bin/a": "a", "bin/c": "c"}, postinst=offer.format("a", 1))
    newer = make_package("one", {"usr/bin/a": "newer"}, "2.0")
    two = make_package("two", {"usr/bin/two": "2"})
    old = make_package("old", {"usr/bin/old": "o"})
    gone = replace(one, archive="debian-security", sha256="0" * 64)
    answers: dict[Wanted, tuple[Package, ...]] = {}
    said: list[str] = []

    def opened(suite: str, arch: Any) -> apt.AptRoot:
        said.append(f"lists of {suite} {arch.debian}")
        return apt.AptRoot(suite, arch, Path("unused"))

    def progress(self: Stage, done: float, total: float | None = None, unit: str = "bytes") -> None:
        if unit != "bytes":
            said.append(f"{done} of {total} {unit}")

    monkeypatch.setattr(apt.AptRoot, "open", opened)
    monkeypatch.setattr(apt.AptRoot, "resolve", lambda self, wanted: answers[wanted])
    monkeypatch.setattr(Stage, "status", lambda self, text: said.append(text))
    monkeypatch.setattr(Stage, "progress", progress)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    lock = Lock(tmp_path / "lock", Lock(tmp_path / "base"))
    text = ""

    def show(name: str, wanted: list[Wanted], **keys: Any) -> None:
        nonlocal text
        said.clear()
        report = Heard()
        lines = []
        try:
            found = trees(wanted, **{"lock": lock, "report": report, **keys})
            for key, made in found.items():
                names = [f"{one.name} {one.version}" for one in made.packages]
                mode = f"{made.root.stat().st_mode:o}"
                lines.append(f"{key.key}: {names} {mode} {made.arch.debian}\n{_below(made.root)}")
        except NitroError as error:
            lines.append(f"{type(error).__name__}: {error.what}\n    {error.hint}\n")
        shown = [*said, *report.notes, f"{[span.stage for span in report.timeline]}"]
        text += f"{name}\n" + "".join(f"  {line}\n" for line in shown)
        text += "".join(f"  {line}" for line in lines)

    answers |= {ONE: (one, shared), TWO: (shared, two), ONLY: (one,), OTHER: (old,)}
    show("two sets of one suite, one twice", [ONE, TWO, ONE])
    show("again", [TWO, ONE])
    show("without closure, and of another suite", [ONLY, OTHER])
    show("nothing", [])
    show("resolved alone", [ONE, TWO], needed=lambda sets: [])
    show("one of two", [ONE, TWO], needed=lambda sets: [one for one in sets if one == TWO])
    show("frozen", [Wanted(("new",))], lock=replace(lock, frozen=True))
    show("frozen and pinned", [ONE], lock=replace(lock, frozen=True))
    lock.put(ONE, (gone,))
    answers[ONE] = (newer,)
    show("a dropped version", [ONE, TWO])
    lock.put(ONE, (gone,))
    show("a dropped version, frozen", [ONE], lock=replace(lock, frozen=True))
    answers[ONE] = (gone,)
    show("dropped for good", [ONE])
    report = Heard()
    resolved = resolve([TWO, ONLY], lock=lock, report=report)
    text += f"resolve: {[key.key for key in resolved]} {report.timeline}\n"
    assert isinstance(tree(TWO, lock=lock), Tree)
    damaged = make_package("damaged", {"a": "a"})
    packed = (pool / damaged.path).read_bytes()
    for name, content in {"text": b"text", "cut": packed[: len(packed) - 40], "empty": b""}.items():
        path = pool / f"{name}.deb"
        path.write_bytes(content)
        monkeypatch.setattr(MODULE, "download", lambda packages, stage, path=path: [path])
        lock.put(ONE, (replace(damaged, sha256=name.ljust(64, "0")),))
        with pytest.raises(NitroError, match=rf"could not unpack {name}\.deb: ") as refused:
            trees([ONE], lock=lock)
        assert "no reason given" not in refused.value.what
    left = sorted(path.name for path in (tmp_path / "cache/trees").iterdir())
    text += f"{[len(name) for name in left]} left\n"
    compare(HERE / "sets.txt", text.replace(f"{tmp_path}/", ""))
