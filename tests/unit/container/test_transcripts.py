"""Layers, layouts and archives of all kinds: what they become, or what is said of them."""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.container_images import (
    PACK,
    Layout,
    configuration,
    digest,
    docker_archive,
    layer,
    member,
    oci,
)
from nitro.arch import X86_64
from nitro.budget import Budget
from nitro.container import archive, complete, layout, registry, source, unpack
from nitro.container.source import Layer, Source
from nitro.errors import NitroError
from nitro.progress import Reporter, Stage
from nitro.recipe import Recipe
from nitro.recipe.reference import parse
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
RAW = layer(files={"x": b"1"})
LONG, LONGER = "n" * 255, "n" * 256
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))


def _said(error: NitroError, folder: Path) -> str:
    text = f"  {type(error).__name__}: {error.what}\n    {error.hint}\n"
    return text.replace(f"{folder}/", "")


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=tarfile.LNKTYPE, linkname=target), b""


def _file(name: str, content: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, content, **fields), content


def _folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, None, **fields), b""


def _symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, target), b""


def _device(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind), b""


def _with_capability(value: str) -> tuple[tarfile.TarInfo, bytes]:
    info, content = _file("capable")
    info.pax_headers = {"SCHILY.xattr.security.capability": value}
    return info, content


TREES: dict[str, list[Members]] = {
    "nothing": [],
    "an empty layer": [[]],
    "owners, modes, times": [
        [
            _folder("a", mode=0o1777, uid=1, gid=2, mtime=3),
            _file("a/f", mode=0o4755, uid=4, gid=5, mtime=6.9),
            _file("a/g", b"", mode=0o640, mtime=-1),
            _file("a/h", mode=0o001, mtime=(1 << 32) - 1),
            _file("a/i", mtime=1 << 32),
            _symlink("a/l", "f"),
        ]
    ],
    "numbers of owners": [[_file("f", uid=(1 << 32) - 1, gid=0)]],
    "a number that no owner has": [[_file("f", uid=1 << 32)]],
    "a number that no group has": [[_file("f", gid=1 << 32)]],
    "the root itself": [[_folder(".", mode=0o700, uid=7), _file("./f"), _folder("/")]],
    "a root that is no folder": [[_file("f"), _file("/", b"root")]],
    "names that go up": [[_file("../f"), _file("a/../g"), _file("a/./b//c")]],
    "hard links": [
        [
            _folder("a"),
            _file("a/f", b"one"),
            _link("g", "a/f"),
            _link("h", "./g"),
            _symlink("s", "x"),
        ],
        [_link("i", "g"), _link("t", "s")],
    ],
    "a hard link to a folder": [[_folder("a"), _link("b", "a")]],
    "a hard link to nothing": [[_link("b", "a")]],
    "a hard link below nothing": [[_link("b", "a/b")]],
    "a hard link to the root": [[_link("b", "/")]],
    "capabilities": [[_with_capability("\1\2\udcff"), _file("f")]],
    "devices": [
        [
            _device("c", tarfile.CHRTYPE),
            _device("b", tarfile.BLKTYPE),
            _device("p", tarfile.FIFOTYPE),
        ],
        [_device("d", tarfile.CHRTYPE)],
    ],
    "a file in place of a folder": [[_file("a/b"), _file("c")], [_file("a"), _folder("c")]],
    "a folder again": [[_folder("a", mode=0o700), _file("a/b")], [_folder("a", mode=0o711)]],
    "whiteouts": [
        [_file("a/b"), _file("a/c"), _file("d/e"), _symlink("l", "a"), _file("f")],
        [_file("a/.wh.b"), _file(".wh.d"), _file("l/.wh.c"), _file(".wh.none"), _file("no/.wh.x")],
        [_file("a/b", b"again")],
    ],
    "a whiteout in the layer of its file": [[_file("a/b"), _file(".wh.a"), _file("c/.wh.d")]],
    "a whiteout of a folder with something newer": [
        [_file("a/b"), _file("a/c")],
        [_file("a/d"), _file(".wh.a")],
    ],
    "opaque": [
        [_file("a/b"), _file("a/c/d"), _file("e")],
        [_folder("a"), _file("a/c/n"), _file("a/.wh..wh..opq"), _file(".wh..wh.plnk")],
    ],
    "all is opaque": [[_file("a/b"), _file("c")], [_file(".wh..wh..opq"), _file("d")]],
    "a whiteout as a folder": [[_file(".wh.a/b")]],
    "through links": [
        [_folder("usr/lib"), _symlink("lib", "usr/lib"), _symlink("abs", "/usr/./lib")],
        [_file("lib/one"), _file("abs/two"), _file("lib/../three")],
    ],
    "a link that leads up": [[_symlink("a", "../../b"), _file("a/f")]],
    "a folder in place of a link": [
        [_folder("b"), _symlink("a", "b")],
        [_folder("a"), _file("a/f")],
    ],
    "a circle": [[_symlink("a", "b"), _symlink("b", "a"), _file("a/f")]],
    "forty links": [[_symlink(f"{n}", f"{n + 1}") for n in range(40)] + [_file("0/f")]],
    "forty-one links": [[_symlink(f"{n}", f"{n + 1}") for n in range(41)] + [_file("0/f")]],
    "a file for a folder": [[_file("a"), _file("a/b")]],
    "399 folders": [[_file("d/" * 399 + "f", b"")]],
    "400 folders": [[_file("d/" * 400 + "f", b"")]],
    "deep through a link": [[_folder("d/" * 399), _symlink("l", "d/" * 399), _file("l/e/f")]],
    "deeper through a link": [[_folder("d/" * 400), _symlink("l", "d/" * 400), _file("l/e/f")]],
    "a path of 4096": [[_symlink("/".join([LONG] * 16), "x")]],
    "a path of 4097": [[_symlink("/".join([LONG] * 16) + "/x", "x")]],
    "a long name": [[_file(LONG)]],
    "a name that is too long": [[_file(LONGER)]],
}


def _tree(folder: Path) -> str:
    entries, special = unpack.read(folder)
    root = folder / unpack.ROOT
    text = f"  {special} left out, {sorted(one.name for one in folder.iterdir())}\n"
    for path, entry in entries.items():
        place = Path(f"{root}{path}")
        found = place.lstat()
        here = f"{stat.filemode(found.st_mode)}"
        if entry.kind == "file":
            here += f" {found.st_nlink} {place.read_bytes()!r}"
        owner = f"{entry.uid}:{entry.gid}"
        more = f"{entry.capability!r} {entry.mtime}"
        name = path if len(path) < 90 else f"{path[:40]}…{path[-40:]} ({len(path)})"
        text += (
            f"  {name} {entry.kind} {entry.mode:o} {owner} {entry.target!r:.60} {more}: {here}\n"
        )
    return text if text.count("\n") < 60 else "\n".join(text.splitlines()[-3:]) + "\n"


def _layers(raws: list[bytes], pack: str = "tar") -> list[Layer]:
    made = []
    for number, raw in enumerate(raws):
        stored = PACK[pack](raw)
        name = f"layer {number}"
        opened = partial(io.BytesIO, stored)
        made.append(Layer(name, opened, digest(raw), digest(stored)))
    return made


def test_trees(tmp_path: Path) -> None:
    text = ""
    for number, (name, layers) in enumerate(TREES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        text += f"{name}\n"
        try:
            unpack.unpack(_layers([layer(*one) for one in layers]), folder, Stage())
            text += _tree(folder)
        except NitroError as error:
            text += _said(error, tmp_path)
    compare(HERE / "trees.txt", text)


def _damaged_layers() -> dict[str, Layer]:
    [whole] = _layers([layer(files={"etc": None, "etc/x": b"content" * 300})])
    raw = whole.open().read()

    def of(stored: bytes, name: str = "layer", **fields: Any) -> Layer:
        known: dict[str, Any] = {"diff_id": digest(raw), "digest": digest(stored)}
        return Layer(name, lambda: io.BytesIO(stored), **{**known, **fields})

    packed, frozen = PACK["gzip"](raw), PACK["zstd"](raw)
    huge = bytearray(layer(*[_file("f")]))
    huge[124:136] = b"%011o\0" % (1 << 40)
    return {
        "gzip": of(packed),
        "zstd": of(frozen),
        "two frames": of(PACK["zstd"](raw[:700]) + PACK["zstd"](raw[700:])),
        "zeros behind": of(raw + bytes(1024), diff_id=digest(raw + bytes(1024))),
        "other bytes behind": of(packed + b"more"),
        "no digest": of(packed, digest=None),
        "another digest": of(packed, digest=digest(b"")),
        "another archive": of(packed, diff_id=digest(b"")),
        "empty": of(b""),
        "text": of(b"text" * 200),
        "cut gzip": of(packed[:-9]),
        "wrong sum of gzip": of(packed[:-5] + b"\0" + packed[-4:]),
        "damaged gzip": of(packed[:20] + b"\xff" * 20 + packed[40:]),
        "damaged zstd": of(frozen[:9] + b"\xff" * 9 + frozen[18:]),
        "cut zstd": of(frozen[:-5]),
        "cut tar": of(raw[:900]),
        "a size beyond the end": of(bytes(huge)),
        "a wrong sum": of(raw[:3] + b"!" + raw[4:]),
    }


def test_layers(tmp_path: Path) -> None:
    text = ""
    for number, (name, one) in enumerate(_damaged_layers().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        text += f"{name}\n"
        try:
            unpack.unpack([one], folder, Stage())
            text += f"  {len(unpack.read(folder)[0])} entries\n"
        except NitroError as error:
            ours = "digest" in error.what
            text += (
                _said(error, tmp_path) if ours else f"  {error.what.partition(':')[0]} refused\n"
            )
    compare(HERE / "layers.txt", text)


@pytest.mark.parametrize(("most", "fits"), [(10239, False), (10240, True)])
def test_layers_are_read_as_far_as_the_budget_goes(tmp_path: Path, most: int, fits: bool) -> None:
    raw = layer(files={"x": b"1" * 5000})
    assert len(raw) == 10240
    try:
        unpack.unpack(_layers([raw], "zstd"), tmp_path / ".", Stage(), Budget(most, 60.0))
    except NitroError:
        assert not fits
    else:
        assert fits


def _source(find: Callable[[], Source], folder: Path) -> str:
    try:
        found = find()
    except NitroError as error:
        return _said(error, folder)
    text = f"  {found.identity} {[path.name for path in found.inputs]} {found.config.run.cmd}\n"
    for one in found.layers:
        try:
            with one.open() as stored:
                content = digest(stored.read())
        except NitroError as error:
            content = _said(error, folder).strip()
        text += f"    {one.name} {one.digest} {one.size} {one.diff_id} {content}\n"
    return text.replace(f"{folder}/", "")


def test_archives(tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "app.tar", [RAW, RAW], Cmd=["/x"])
    with tarfile.open(path) as opened:
        names = opened.getnames()
        files = {one: opened.extractfile(one).read() for one in names}  # type: ignore[union-attr]
    [name] = [one for one in names if one.endswith(".json") and one != "manifest.json"]
    [image] = json.loads(files["manifest.json"])
    other = json.dumps(configuration([RAW], arch="arm64")).encode()

    def with_manifest(*images: Any, **more: bytes) -> bytes:
        return layer(files={**files, "manifest.json": json.dumps(images).encode(), **more})

    two = {**image, "RepoTags": ["app:2", "app:3"]}
    folder = member("manifest.json", None)
    cases = {
        "as it was written": path.read_bytes(),
        "compressed": PACK["gzip"](path.read_bytes()),
        "two images": with_manifest(image, two),
        "an image twice": with_manifest(image, image),
        "none": with_manifest(),
        "no tags": with_manifest({**image, "RepoTags": None}),
        "a layer less": with_manifest({**image, "Layers": image["Layers"][:1]}),
        "a layer that is not there": with_manifest({**image, "Layers": ["a", image["Layers"][1]]}),
        "no configuration": with_manifest({**image, "Config": "a.json"}),
        "another configuration": layer(files={**files, name: files[name] + b" "}),
        "a configuration of another name": with_manifest({**image, "Config": "a"}, a=files[name]),
        "a name of 63 letters": with_manifest(
            {**image, "Config": "a" * 63}, **{"a" * 63: files[name]}
        ),
        "a name of 64 letters": with_manifest(
            {**image, "Config": "a" * 64}, **{"a" * 64: files[name]}
        ),
        "for another machine": with_manifest(
            {**image, "Config": "a", "Layers": image["Layers"][:1]}, a=other
        ),
        "keys that are missing": with_manifest({"Config": name}),
        "no JSON": layer(files={"manifest.json": b"text"}),
        "a folder": layer((folder, b"")),
        "no manifest": layer(files={"x": b"1"}),
        "cut short": path.read_bytes()[:700],
        "empty": b"",
    }
    text = ""
    for case, raw in cases.items():
        path.write_bytes(raw)
        for tag in (None, "app:1", "app:3", "app:4"):
            found = _source(lambda tag=tag: archive.find(path, tag, X86_64), tmp_path)  # type: ignore[misc]
            text += f"{case}, {tag}\n{found}"
    compare(HERE / "archives.txt", text)


@pytest.mark.parametrize(("size", "fits"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_a_document_has_at_most_4_mib(tmp_path: Path, size: int, fits: bool) -> None:
    document = json.dumps(configuration([])).encode().ljust(size)
    manifest = json.dumps([{"Config": "a", "Layers": []}]).encode()
    path = tmp_path / "app.tar"
    path.write_bytes(layer(files={"a": document, "manifest.json": manifest}))
    made = Layout(tmp_path / "app")
    config = made.blob(document, "application/vnd.oci.image.config.v1+json")
    made.offer(made.blob(json.dumps({"config": config, "layers": []}).encode(), Layout.MANIFEST))
    for find in (
        lambda: archive.find(path, None, X86_64),
        lambda: layout.find(tmp_path / "app", None, X86_64),
    ):
        if fits:
            assert find().layers == ()
        else:
            with pytest.raises(NitroError, match=r"larger than 4 MiB|4194305 bytes"):
                find()


def test_layouts(tmp_path: Path) -> None:
    text = ""

    def show(name: str, made: Layout, tag: str | None = None) -> None:
        nonlocal text
        text += f"{name}, {tag}\n"
        text += _source(lambda: layout.find(made.folder, tag, X86_64), tmp_path)

    made = Layout(tmp_path / "app")
    show("nothing", made)
    show("nothing", made, "a")
    one = made.image([RAW, layer(files={"y": b"2"})], "tar", Cmd=["one"])
    made.offer(one)
    show("one", made)
    show("one", made, "a")
    made.offer(one, tag="a")
    show("the same twice", made)
    show("the same twice", made, "a")
    made.offer(made.image([RAW], "tar", Cmd=["two"]), tag="b")
    show("two", made)
    show("two", made, "b")
    for arch in ("arm64", "amd64"):
        made.offer(made.image([RAW], "tar", Cmd=[arch]), tag="c", arch=arch)
    show("of two machines", made, "c")
    made.offer(one, tag="d", arch="riscv64")
    made.offer(one, tag="d", arch="arm64")
    show("of no machine here", made, "d")
    for depth in range(1, 7):
        nested = one
        for _ in range(depth):
            nested = made.blob(json.dumps({"manifests": [nested]}).encode(), Layout.INDEX)
        made.offer(nested, tag=f"depth{depth}")
        show("nested", made, f"depth{depth}")
    manifest = json.loads(made.path(one["digest"]).read_text())
    changed = {
        "less": {**manifest, "layers": manifest["layers"][:1]},
        "size": {**manifest, "config": {**manifest["config"], "size": 1}},
        "digest": {**manifest, "config": {**manifest["config"], "digest": "sha256:x"}},
        "missing": {**manifest, "config": {**manifest["config"], "digest": digest(b"none")}},
        "negative": {**manifest, "config": {**manifest["config"], "size": -1}},
        "empty": {},
    }
    for tag, document in changed.items():
        made.offer(made.blob(json.dumps(document).encode(), Layout.MANIFEST), tag=tag)
        show("changed", made, tag)
    odd: dict[str, Any] = {
        "architecture": None,
        "os": None,
        "config": None,
        "rootfs": {"diff_ids": []},
    }
    for tag, config in {
        "odd": odd,
        "windows": {**odd, "os": "windows"},
        "arm": {**odd, "architecture": "arm64"},
        "amd64": {**odd, "architecture": "amd64", "os": "linux"},
        "list": [],
    }.items():
        made.offer(made.image([], config=config or {"os": 1}), tag=tag)
        show("configuration", made, tag)
    path = made.path(one["digest"])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"layers", b"layerz"))
    show("another byte", made, "a")
    path.write_bytes(whole + b" ")
    show("a byte more", made, "a")
    path.unlink()
    show("no blob", made, "a")
    (made.folder / "index.json").write_text("[]")
    show("a list", made)
    (made.folder / "index.json").write_text("{")
    show("no JSON", made)
    shutil.rmtree(made.folder)
    show("no folder", made)
    compare(HERE / "layouts.txt", text)


RUNS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a command": {"Cmd": ["/x", "y"]},
    "an entry": {"Entrypoint": ["/e"], "Cmd": ["a"]},
    "ports": {
        "Cmd": ["x"],
        "ExposedPorts": {"80": {}, "53/udp": {}, "8000-8002/tcp": {}, "1/x": {}},
    },
    "many ports": {"Cmd": ["x"], "ExposedPorts": {"1000-1255": {}}},
    "too many ports": {"Cmd": ["x"], "ExposedPorts": {"1000-1256": {}}},
    "ports the other way": {"Cmd": ["x"], "ExposedPorts": {"9-8": {}}},
    "no port": {"Cmd": ["x"], "ExposedPorts": {"http": {}}},
    "an arabic port": {"Cmd": ["x"], "ExposedPorts": {"\u0661": {}}},
    "variables": {"Cmd": ["x"], "Env": ["A=1", "b-c=2", "=3", "D", "_E=x=y", "F "]},
    "volumes": {"Cmd": ["x"], "Volumes": {"/b": {}, "/a": {}}},
    "a check": {"Cmd": ["x"], "Healthcheck": {"Test": ["CMD", "y"]}},
    "no check": {"Cmd": ["x"], "Healthcheck": {"Test": ["NONE"]}},
    "a folder and a signal": {"Cmd": ["x"], "WorkingDir": "/w", "StopSignal": "SIGRTMIN+3"},
    "an odd signal": {"Cmd": ["x"], "StopSignal": "sigterm"},
}
USERS = (
    "",
    " ",
    "0",
    "0:0",
    "root:root",
    "root:0",
    "0:1",
    "root:",
    "app",
    "app:",
    "a.b-c:d",
    "a b",
)
KEYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a command": {"command": ("/own",)},
    "a program": {"programs": ["/p"]},
    "ports": {"ports": [1]},
    "no ports": {"ports": []},
    "its end": {"on_exit": "poweroff", "env": {"A": "own", "PATH": "/own"}},
    "others": {
        "user": "me",
        "working_directory": "/own",
        "stop_signal": "KILL",
        "extras": ("passwd",),
    },
}


def test_recipes(tmp_path: Path) -> None:
    said: list[str] = []

    class Heard(Reporter):
        def note(self, text: str) -> None:
            said.append(text)

    cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    cases += [(name, run, {}) for name, run in RUNS.items()]
    cases += [(f"user {user!r}", {"Cmd": ["x"], "User": user}, {}) for user in USERS]
    for name, keys in KEYS.items():
        cases.append((f"{name} in the recipe", {**RUNS["ports"], **RUNS["variables"]}, keys))
    text = ""
    for number, (name, run, keys) in enumerate(cases):
        oci(tmp_path / str(number), [RAW], **run)
        document = {"name": "test", "from": f"oci:{number}", "folder": tmp_path, **keys}
        recipe = Recipe.model_validate(document)
        for arguments in ((), ("more", "words")):
            said.clear()
            try:
                found = complete(recipe, arguments=arguments, report=Heard())
            except NitroError as error:
                text += f"{name} {arguments}\n{_said(error, tmp_path)}"
                continue
            assert complete(found) is found
            dumped = json.loads(found.model_dump_json(exclude_defaults=True, by_alias=True))
            lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in dumped.items())
            lines += "".join(f"  note: {line}\n" for line in said)
            text += f"{name} {arguments}\n{lines}"
    plain = Recipe.model_validate({"name": "x", "command": ("y",)})
    assert complete(plain) is plain
    compare(HERE / "recipes.txt", text)


ANSWERS = {
    "nothing": "exit 1",
    "a line": "echo trouble >&2; exit 1",
    "lines": "printf 'first\\n\\n  \\n' >&2; exit 1",
    "a message": r"""echo 'time="x" level=fatal msg="say \"no\" to it" more' >&2; exit 1""",
    "no such manifest": "echo 'manifest unknown' >&2; exit 1",
    "no such name": "echo 'name unknown' >&2; exit 1",
    "not found": "echo 'not found' >&2; exit 1",
    "404": "echo 'StatusCode: 404' >&2; exit 2",
    "status 404": "echo 'status 404' >&2; exit 1",
    "unauthorized": "echo 'unauthorized' >&2; exit 1",
    "authentication": "echo 'authentication required' >&2; exit 1",
    "denied, and not found": "echo 'denied: not found' >&2; exit 1",
    "401": "echo 'StatusCode: 401' >&2; exit 1",
    "402": "echo 'StatusCode: 402' >&2; exit 1",
    "403": "echo 'StatusCode: 403' >&2; exit 1",
    "a full disk": "echo 'write /x: no space left on device' >&2; exit 1",
    "a manifest": 'printf "{}"',
}


def test_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/skopeo"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    text = ""
    registry._skopeo.cache_clear()
    for name, script in ANSWERS.items():
        program.write_text(f'#!/bin/sh\necho "$@" >>{program}.log\n{script}\n')
        program.chmod(0o755)
        for reference in ("docker://localhost:5000/app:1", f"docker://app@{digest(b'x')}"):
            report = Reporter()
            text += f"{name}: {reference}\n"
            for step in (registry.pin, registry.fetch):
                try:
                    found = step(parse(reference), X86_64, report)
                    text += f"  {str(found).replace(f'{tmp_path}/', '')}\n"
                except NitroError as error:
                    text += _said(error, tmp_path)
            text += f"  {[span.stage for span in report.timeline]}\n"
            log = Path(f"{program}.log")
            for line in log.read_text().splitlines() if log.exists() else ():
                words = line.split("oci:")
                text += f"  $ {words[0]}{'oci:FOLDER' if len(words) > 1 else ''}\n"
            log.unlink(missing_ok=True)
    made = sorted(path.name for path in (tmp_path / "cache/registry").iterdir())
    registry._skopeo.cache_clear()
    compare(HERE / "registries.txt", f"{text}{made}\n")


def test_documents() -> None:
    """What is wrong with one is said by its key."""
    text = ""
    for raw in (b"", b"[]", b'{"config": 1}', b'{"rootfs": {"diff_ids": ["x"]}}', b"{}"):
        try:
            found = source.make("here", raw, lambda _: (), (), X86_64)
            text += f"{raw!r}: {found.identity}\n"
        except NitroError as error:
            text += f"{raw!r}\n{_said(error, Path())}"
    compare(HERE / "documents.txt", text)
