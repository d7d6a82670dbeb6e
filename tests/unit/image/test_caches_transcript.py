"""What is kept from build to build: images, digests and bytecode, and when each is found again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nitro import image, recipe
from nitro.debian import Tree
from nitro.errors import NitroError
from nitro.image import build_cache, bytecode, digesting, digests, manifest
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from tests.said import Said
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
MINOR = sys.version_info.minor


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    return tmp_path / "cache"


MANIFEST: dict[str, Any] = {
    "name": "x",
    "description": "what it does",
    "digest": "sha256:00",
    "size_bytes": 4,
    "minimum_memory_mib": 92,
    "architecture": "x86_64",
    "boot_mode": "uefi",
    "ports": [80, "udp:53"],
    "tags": {"a": "b"},
    "kernel": {"processors": 1},
}


def test_images(tmp_path: Path) -> None:
    said = Said(tmp_path)
    disk, described = tmp_path / "disk.raw", tmp_path / "manifest.json"
    disk.write_bytes(b"disk")
    described.write_text(json.dumps(MANIFEST))
    source = tmp_path / "source"
    source.write_text("1")
    made = build_cache.from_manifest(described)
    said("read", lambda: build_cache.read(described))
    said("bill", lambda: made.bill_of_materials)
    said("built", lambda: build_cache.with_build_time(made, 1.23456))
    states = build_cache.states([source, source, tmp_path / "none"])
    said("states", lambda: [(path, state is None) for path, state in states.items()])
    build_cache.put("one", made, states)
    entry = tmp_path / "cache/builds/one.json"
    whole = entry.read_text()

    def found() -> str:
        one = build_cache.find("one")
        return "none" if one is None else f"{one.name} {one.cached} {one.processors}"

    said("found", found)
    said("another", lambda: build_cache.find("two"))
    (tmp_path / "none").touch()
    said("a file that has appeared", found)
    (tmp_path / "none").unlink()
    source.write_text("2")
    os.utime(source, ns=(0, states[str(source)][1]))  # type: ignore[index]
    said("another content of one size and date", found)
    source.write_text("22")
    said("another size", found)
    source.unlink()
    source.write_text("1")
    said("another file", found)
    source.unlink()
    said("no file", found)
    build_cache.put("one", made, build_cache.states([source]))
    said("without it", found)
    for content in (b"dis", b"disks"):
        disk.write_bytes(content)
        said(f"a disk of {len(content)}", found)
    disk.unlink()
    said("no disk", found)
    disk.mkdir()
    said("a folder", found)
    disk.rmdir()
    disk.write_bytes(b"disk")
    said("a disk", found)
    for key in (*MANIFEST, "processors"):
        less = {name: value for name, value in MANIFEST.items() if name != key}
        described.write_text(json.dumps(less if key != "processors" else {**less, "kernel": {}}))
        said(f"without {key}", found)
        said(f"reading without {key}", lambda: build_cache.read(described).processors)
    changes: dict[str, Any] = {"ports": ["x"], "kernel": [], "tags": 1, "name": None}
    for key, value in changes.items():
        described.write_text(json.dumps({**MANIFEST, key: value}))
        said(f"{key} {value}", found)
    for raw in ("{", "[]", "1", "[" * 100_000, ""):
        described.write_text(raw)
        said(f"manifest {raw[:3]!r}", found)
        said(f"reading {raw[:3]!r}", lambda: build_cache.read(described))
    described.write_bytes(b"\xff")
    said("no text", lambda: build_cache.read(described))
    said("no manifest", lambda: build_cache.read(tmp_path / "gone"))
    described.write_text(json.dumps(MANIFEST))
    document = json.loads(whole)
    for raw in ("{", "[]", "1", "[" * 100_000, "", json.dumps({**document, "inputs": []})):
        entry.write_text(raw)
        said(f"entry {raw[:9]!r}" if len(raw) < 9 else f"entry of {raw[:9]!r}", found)
    for key in ("manifest", "inputs"):
        entry.write_text(json.dumps({name: one for name, one in document.items() if name != key}))
        said(f"entry without {key}", found)
    compare(HERE / "builds.txt", said.text)


def test_names_of_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes into an image is in its name: the code, the question, the recipe's place."""
    code = tmp_path / "code"
    (code / "a/__pycache__").mkdir(parents=True)
    (code / "a/one.py").write_text("1")
    (code / "a/two.py").write_text("2")
    (code / "b.py").write_text("3")
    monkeypatch.setattr(build_cache, "code", lambda: [code / "a", code / "b.py"])

    def digest() -> str:
        build_cache.code_digest.cache_clear()
        return build_cache.code_digest()

    seen = {"as it is": digest()}
    (code / "a/__pycache__/x.pyc").write_text("x")
    assert digest() == seen["as it is"]
    (code / "a/two.py").write_text("22")
    seen["another content"] = digest()
    (code / "a/two.py").rename(code / "a/three.py")
    seen["another name"] = digest()
    (code / "a/four.py").write_text("")
    seen["a file more"] = digest()
    assert len(set(seen.values())) == len(seen)
    text = "".join(f"{name}: {value}\n" for name, value in seen.items())
    paths = {
        "one": build_cache.request(tmp_path / "a/../r.toml", trace=False),
        "traced": build_cache.request(tmp_path / "r.toml", trace=True),
        "other": build_cache.request(tmp_path / "s.toml", trace=False),
        "parts": build_cache.key("a", "b"),
        "other parts": build_cache.key("ab"),
    }
    assert len(set(paths.values())) == len(paths)
    assert paths["one"] == build_cache.request(tmp_path / "r.toml", trace=False)
    build_cache.code_digest.cache_clear()
    monkeypatch.undo()
    for path in build_cache.code():
        assert path.exists()
        text += f"{path.name} {path.is_dir()}\n" if path.suffix != ".py" else ""
    compare(HERE / "code.txt", text)


def test_known_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build_cache, "find", asked.append)
    (tmp_path / "r.toml").touch()
    (tmp_path / "script.py").touch()
    (tmp_path / "tool").write_bytes(b"\x7fELF")
    for name in ("docker://x", "script.py", "tool"):
        assert image.known(name) is None
    assert asked == []
    for name, trace in (("r.toml", False), ("r.toml", True), ("hello", False)):
        image.known(name, trace=trace)
        assert asked.pop() == build_cache.request(recipe.find(name), trace=trace)
    with pytest.raises(NitroError, match="no recipe 'nothing'"):
        image.known("nothing")


def test_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said(tmp_path)
    kept = tmp_path / "cache/digests.json"
    reads: list[str] = []
    of_file = digests.of_file

    def read(path: Path) -> str:
        reads.append(path.name)
        return of_file(path)

    monkeypatch.setattr(digests, "of_file", read)

    def ask(path: Path, later: int) -> str:
        reads.clear()
        found = path.stat()
        now = max(found.st_mtime_ns, found.st_ctime_ns) + later
        monkeypatch.setattr("nitro.image.digests.time.time_ns", lambda: now)
        known = digests.Digests()
        digest = known.sha256(path)
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
        known.keep()
        names = list(json.loads(kept.read_text())) if kept.exists() else []
        return f"read {reads}, {len(names)} kept"

    settled = 2_000_000_000
    for size in ((128 << 10) - 1, 128 << 10):
        for later in (0, settled, settled + 1):
            path = tmp_path / f"{size}-{later}"
            path.write_bytes(b"x" * size)
            for step in ("", " again"):
                said(f"{size} bytes, {later} later{step}", lambda p=path, at=later: ask(p, at))
    path = tmp_path / f"{128 << 10}-{settled + 1}"
    os.utime(path, ns=(1, 1))
    said("another date", lambda: ask(path, settled + 1))
    said("the same", lambda: ask(path, settled + 1))
    document = json.loads(kept.read_text())
    [state] = [one for name, one in document.items() if name == str(path)]
    for raw in ("[]", "{", "1", "[" * 100_000, json.dumps({"a": 1, str(path): state[:-1]})):
        kept.write_text(raw)
        said(f"kept {raw[:9]!r}", lambda: ask(path, settled + 1))
    kept.write_text(json.dumps({str(path): [*state[:-1], 1]}))
    said("a number for a digest", lambda: ask(path, settled + 1))
    many = {f"/{number}": state for number in range(5000)}
    kept.write_text(json.dumps({str(path): [1, *state[1:]], **many}))
    said("many", lambda: ask(path, settled + 1))
    names = list(json.loads(kept.read_text()))
    said("the first and the last", lambda: [names[0], names[-2], names[-1]])
    kept.write_text(json.dumps(many))
    said("many, and one more", lambda: ask(path, settled + 1))
    names = list(json.loads(kept.read_text()))
    said("the first and the last", lambda: [names[0], names[-1]])
    compare(HERE / "digests.txt", said.text)


def test_a_manifests_digests_are_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", -(10**12))
    large = tmp_path / "large"
    large.write_bytes(b"x" * 200_000)
    rootfs = Rootfs()
    rootfs.add("/large", Node("program", "x", source=large))
    [found] = manifest.inputs(rootfs)
    [(path, state)] = json.loads((cache / "digests.json").read_text()).items()
    assert (path, state[-1]) == (str(large), found["sha256"])


def test_what_builds_is_loaded_when_it_is_asked_for() -> None:
    for name in ("Prepared", "build", "prepare"):
        assert getattr(image, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        image.nothing  # noqa: B018


class _Pieces(io.BytesIO):
    """Notes the sizes of what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[list[int]] = []

    def writelines(self, lines: Any) -> None:
        pieces = list(lines)
        self.sizes.append([len(piece) for piece in pieces])
        super().writelines(pieces)


def test_pieces() -> None:
    text = ""
    small, batch = 64 << 10, 1 << 20
    for sizes in (
        *([], [0], [1], [small - 1], [small], [small - 1, 1], [1, small, 1], [small, small]),
        *([batch - 1], [batch], [batch - 1, 1], [batch - small, small - 1, 1, 1], [1] * 3),
        [batch, batch, 5],
    ):
        out = _Pieces()
        chunks = [bytes([number % 256]) * size for number, size in enumerate(sizes, 1)]
        digest = digesting.write(out, chunks)
        assert digest == f"sha256:{hashlib.sha256(b''.join(chunks)).hexdigest()}"
        assert out.getvalue() == b"".join(chunks)
        text += f"{sizes}: {out.sizes}\n"
    compare(HERE / "pieces.txt", text)


INTERPRETERS: dict[str, str] = {
    "well": f'exec {Path(sys.executable).resolve()} "$@"',
    "badly": "printf 'one\\ntwo\\n' >&2; exit 1",
    "silently": "exit 3",
    "a full disk": "echo 'No space left on device' >&2; exit 1",
}


def test_bytecode(tmp_path: Path, cache: Path) -> None:
    text = ""

    class Heard(Reporter):
        notes: tuple[str, ...] = ()

        def note(self, said: str) -> None:
            self.notes += (said,)

    sources = {"a.py": "x = 1\n", "b.txt": "x", "bad.py": "def", "sub/c.py": "y = 'é'\n"}
    for name, content in sources.items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    layers: tuple[Any, ...] = ("packages", "container")
    for case, script in INTERPRETERS.items():
        home = tmp_path / case.replace(" ", "-") / "usr/bin"
        home.mkdir(parents=True)
        interpreter = home / f"python3.{MINOR}"
        interpreter.write_text(
            f'#!/bin/sh\necho "$0 $1 $2 $3 $4 $5 $6" >>{tmp_path}/calls\n{script}\n'
        )
        interpreter.chmod(0o755)
        (home / "pythonx").touch()
        for layer in layers:
            for packages in (None, Tree(home.parents[1], ())):
                rootfs = Rootfs()
                rootfs.add("/usr/bin/pythonx", Node("packages", "x", source=home / "pythonx"))
                rootfs.add("/usr/bin/python3", Node(layer, "x", source=interpreter))
                for name in sources:
                    node = Node("program", "x", source=tmp_path / "app" / name)
                    rootfs.add(f"/{case}/{name}", node)
                kept = Node("container", "x", source=tmp_path / "app/a.py")
                rootfs.add("/base/a.py", kept)
                rootfs.add("/bytes.py", Node("program", "x", source=b"z = 1\n"))
                stale = f"/{case}/__pycache__/a.cpython-3{MINOR}.pyc"
                rootfs.add(stale, Node("program", "x", source=b"stale"))
                report = Heard()
                try:
                    bytecode.add(rootfs, packages, report)
                    made = {p: n for p, n in rootfs.nodes.items() if p.endswith(".pyc")}
                except NitroError as error:
                    text += f"{case} {layer}: {error.what}\n"
                    continue
                shown = [
                    f"{path} {node.layer} {node.origin}" for path, node in sorted(made.items())
                ]
                stages = [span.stage for span in report.timeline]
                text += f"{case} {layer}: {stages} {report.notes} {shown}\n"
    calls = (tmp_path / "calls").read_text()
    names = {path.name: path.stat().st_size > 0 for path in (cache / "bytecode").iterdir()}
    assert {len(name) for name in names} == {64}
    text += f"{calls}{sorted(names.values())}\n"
    for word in (f"{tmp_path}/", "./"):
        text = text.replace(word, "")
    compare(
        HERE / "bytecode.txt",
        text.replace(f"python3.{MINOR}", "python3").replace(f"-3{MINOR}", "-3"),
    )
