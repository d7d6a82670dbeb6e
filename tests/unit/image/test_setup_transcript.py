"""What a setup command is given, and what is taken of what it leaves, of all kinds of changes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.errors import NitroError
from nitro.image import setup
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
Change = Callable[[Path], None]


def _rootfs(source: Path) -> Rootfs:
    made = Rootfs()
    made.add("/etc/passwd", Node("system", "x", source=b"keeper:x:12:13::/:/bin/sh\n"))
    made.add("/srv/old", Node("packages", "x", source=b"as it was"))
    made.add("/srv/tool", Node("packages", "x", source=source, executable=True, capability=b"c"))
    made.add("/srv/mode", Node("packages", "x", source=b"m", permissions=0o4711, uid=3))
    made.add("/srv/link", Node("packages", "x", target="old"))
    made.add("/srv/locked", Node("program", "x", permissions=0o500, uid=5, gid=6))
    made.add("/srv/locked/f", Node("program", "x", source=b"f", permissions=0o400))
    made.add("/srv/folder/f", Node("program", "x", source=b"f"))
    made.add("/tmp", Node("program", "x", permissions=0o1777))
    made.add("/tmp/kept", Node("program", "x", source=b"kept"))
    made.add("/init", Node("program", "x", source=b"init"))
    return made


def _below(root: Path) -> Iterator[str]:
    for place in sorted(root.rglob("*")):
        mode = place.lstat().st_mode
        if place.is_symlink():
            what = f"-> {place.readlink()}"
        else:
            what = "" if place.is_dir() else repr(place.read_bytes())
        yield f"/{place.relative_to(root)} {stat.filemode(mode)} {what}"


def _write(name: str, mode: int = 0o644) -> Change:
    def change(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(f"new {name}")
        (root / name).chmod(mode)

    return change


def _folder_for_a_file(root: Path) -> None:
    (root / "srv/old").unlink()
    (root / "srv/old").mkdir()
    (root / "srv/old/in").write_text("in")


def _file_for_a_folder(root: Path) -> None:
    shutil.rmtree(root / "srv/folder")
    (root / "srv/folder").write_text("file")


def _link_for_a_folder(root: Path) -> None:
    shutil.rmtree(root / "srv/folder")
    (root / "srv/folder").symlink_to("old")


def _folder_for_a_link(root: Path) -> None:
    (root / "srv/link").unlink()
    (root / "srv/link").mkdir(mode=0o777)
    (root / "srv/link").chmod(0o777)


def _another_target(root: Path) -> None:
    (root / "srv/link").unlink()
    (root / "srv/link").symlink_to("tool")


def _same_target(root: Path) -> None:
    (root / "srv/link").unlink()
    (root / "srv/link").symlink_to("old")


def _new_folders(root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/f").write_text("f")
    (root / "a/b/s").symlink_to("f")
    (root / "a").chmod(0o000)


def _what_passes(root: Path) -> None:
    for name in ("dev/x", "proc/x", "tmp/x", "run/x", "init2"):
        (root / name).write_text(name)
    (root / "tmp/kept").unlink()
    (root / "init").unlink()
    (root / "sys").mkdir()
    (root / "sys/x").write_text("x")
    (root / "devices").mkdir()


def _nothing_left(root: Path) -> None:
    for place in list(root.iterdir()):
        if place.is_dir() and not place.is_symlink():
            for below in place.rglob("*"):
                if below.is_dir() and not below.is_symlink():
                    below.chmod(0o700)
            shutil.rmtree(place)
        else:
            place.unlink()


CHANGES: dict[str, Change] = {
    "nothing": lambda root: None,
    "a new file": _write("srv/new", 0o640),
    "another content": _write("srv/old"),
    "a program": _write("srv/tool", 0o4755),
    "another mode": lambda root: (root / "srv/mode").chmod(0o600),
    "the mode of a folder": lambda root: (root / "srv/folder").chmod(0o1770),
    "a file that is gone": lambda root: (root / "srv/old").unlink(),
    "a link that is gone": lambda root: (root / "srv/link").unlink(),
    "a folder that is gone": lambda root: shutil.rmtree(root / "srv/folder"),
    "a folder for a file": _folder_for_a_file,
    "a file for a folder": _file_for_a_folder,
    "a link for a folder": _link_for_a_folder,
    "a folder for a link": _folder_for_a_link,
    "another target": _another_target,
    "the same target": _same_target,
    "new folders": _new_folders,
    "what passes": _what_passes,
    "all is gone": _nothing_left,
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    source = tmp_path / "tool"
    source.write_bytes(b"tool")
    before = os.umask(0o022)
    yield source
    os.umask(before)


class Machine:
    """Stands for the namespaces: changes the files in their place, and keeps what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.laid: list[str] = []
        self.change: Change = lambda root: None
        self.result = (0, "")
        self.late = False
        monkeypatch.setattr("nitro.image.setup.subprocess.run", self._run)

    def _run(self, argv: list[str], *, input: str, **more: Any) -> Any:
        asked: Mapping[str, Any] = json.loads(input)
        root = Path(asked["root"])
        self.laid = list(_below(root))
        shown = {name: value for name, value in asked.items() if name != "root"}
        words = [Path(word).name if word.startswith("/") else word for word in argv]
        words = ["python" if word.startswith("python") else word for word in words]
        self.calls.append(f"{words} {json.dumps(shown)} {more}")
        if self.late:
            raise subprocess.TimeoutExpired(argv, 1)
        self.change(root)
        return subprocess.CompletedProcess(argv, *self.result)


class Noted(Reporter):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def _recipe(**keys: Any) -> Recipe:
    words = ("/bin/make", "it")
    return Recipe.model_validate(
        {"name": "made", "user": "keeper", "setup": words, "command": words, **keys}
    )


def _shown(node: Node | None) -> str:
    if node is None:
        return "gone"
    kept = node.source.read_bytes() if isinstance(node.source, Path) else node.source
    what = f"-> {node.target}" if node.target else "folder" if kept is None else repr(kept)
    return f"{node.mode:o} {node.uid}:{node.gid} {what} [{node.layer}] {node.capability!r}"


def test_changes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    text = ""
    for name, change in CHANGES.items():
        machine.change = change
        report = Noted()
        for step in ("", "again"):
            rootfs = _rootfs(source)
            before = dict(rootfs.nodes)
            [decision] = setup.add(rootfs, _recipe(env={"CASE": name}), report)
            lines = [f"{decision.subject}: {decision.choice} ({decision.reason})"]
            for path in sorted(before.keys() | rootfs.nodes.keys()):
                now = rootfs.nodes.get(path)
                if now != before.get(path):
                    lines.append(f"{path} {_shown(now)}")
            lines.append(f"{len(rootfs.nodes)} paths, {[span.stage for span in report.timeline]}")
            text += f"{name} {step}\n" + "".join(f"  {line}\n" for line in lines)
    text += "".join(f"{line}\n" for line in machine.laid)
    text += f"{len(machine.calls)} calls, {machine.calls[0]}\n"
    left = {path.name for path in (tmp_path / "cache/setup").iterdir() if len(path.name) != 32}
    compare(HERE / "setup.txt", f"{text}{left or 'nothing'} left\n")


def test_what_runs_again(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is found again only when all that it may see is the same."""
    machine = Machine(monkeypatch)
    text = ""

    def ask(name: str, rootfs: Rootfs, recipe: Recipe) -> None:
        nonlocal text
        before = len(machine.calls)
        setup.add(rootfs, recipe, Reporter())
        text += f"{name}: {'runs' if len(machine.calls) > before else 'is found'}\n"

    ask("first", _rootfs(source), _recipe())
    ask("the same", _rootfs(source), _recipe())
    node = Node("packages", "x", source=b"as it was")
    for name, other in {
        "another content of one length": replace(node, source=b"as it is!"),
        "another mode": replace(node, permissions=0o600),
        "another user": replace(node, uid=1),
        "another group": replace(node, gid=1),
        "a link": replace(node, source=None, target="x"),
        "another link": replace(node, source=None, target="y"),
        "a folder": replace(node, source=None),
        "another layer": replace(node, layer="program", origin="y"),
    }.items():
        rootfs = _rootfs(source)
        rootfs.nodes["/srv/old"] = other
        ask(name, rootfs, _recipe())
    rootfs = _rootfs(source)
    rootfs.nodes["/srv/other"] = rootfs.nodes.pop("/srv/old")
    ask("another name", rootfs, _recipe())
    source.write_bytes(b"loot")
    ask("another file of this machine", _rootfs(source), _recipe())
    recipes: dict[str, dict[str, Any]] = {
        "another command": {"setup": ("/bin/make", "that")},
        "a variable": {"env": {"A": "b"}},
        "a folder": {"working_directory": "/srv"},
        "root": {"user": "root"},
        "a number": {"user": "12"},
        "the same number": {"user": "12:13"},
        "what it does not see": {"description": "x", "ports": [80]},
    }
    for name, keys in recipes.items():
        ask(name, _rootfs(source), _recipe(**keys))
    own = tmp_path / "code.py"
    own.write_text("the code that runs it")
    for name in ("__file__", "_ENTER"):
        monkeypatch.setattr(setup, name, own if name == "_ENTER" else str(own))
        ask(f"another {name}", _rootfs(source), _recipe())
        ask("the same", _rootfs(source), _recipe())
    text += "\n".join(machine.calls) + "\n"
    compare(HERE / "setup-again.txt", text)


def test_what_fails(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = Machine(monkeypatch)
    text = ""
    lines = "".join(f"line {number}\n" for number in range(1, 23))
    results = {
        "a status": (3, "  trouble\n\n"),
        "many lines": (1, lines),
        "twenty lines": (1, lines[: lines.index("line 21")]),
        "nothing said": (1, ""),
        "no namespaces": (1, "unshare: not permitted"),
        "a signal": (-9, ""),
    }
    recipes: dict[str, dict[str, Any]] = {
        "another machine": {"architecture": "x86_64"},
        "another kernel": {"kernel": "osv:x"},
        "a user of nobody": {"user": "gone"},
        "nothing to do": {"setup": None},
    }
    cases: list[tuple[str, dict[str, Any]]] = [(name, {"env": {"N": name}}) for name in results]
    for name, keys in [*cases, ("too long", {}), *recipes.items()]:
        machine.result = results.get(name, (0, ""))
        machine.late = name == "too long"
        report = Noted()
        with monkeypatch.context() as patched:
            if name == "another machine":
                patched.setattr("nitro.image.setup.platform.machine", lambda: "riscv64")
            try:
                text += f"{name}: {setup.add(_rootfs(source), _recipe(**keys), report)}\n"
            except NitroError as error:
                text += f"{name}\n  {type(error).__name__}: {error.what}\n    {error.hint}\n"
        text += "".join(f"  {line}\n" for line in report.notes)
    assert list((tmp_path / "cache/setup").iterdir()) == []
    compare(HERE / "setup-fails.txt", text)
