"""Layouts, archives and registries: which image is found, and what is said of wrong ones."""

from __future__ import annotations

import json
import shutil
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
from nitro.container import archive, complete, layout, registry, source
from nitro.container.source import Source
from nitro.errors import NitroError
from nitro.progress import Reporter
from nitro.recipe import Recipe
from nitro.recipe.reference import parse
from tests.said import error_text
from tests.transcripts import compare
from tests.unit.cache_uses import used_kinds

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

RAW = layer(files={"x": b"1"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))


def _source(find: Callable[[], Source], folder: Path) -> str:
    try:
        found = find()
    except NitroError as error:
        return error_text(error, folder)
    text = f"  {found.identity} {[path.name for path in found.inputs]} {found.config.run.cmd}\n"
    for one in found.layers:
        try:
            with one.open() as stored:
                content = digest(stored.read())
        except NitroError as error:
            content = error_text(error, folder).strip()
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
                text += f"{name} {arguments}\n{error_text(error, tmp_path)}"
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
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
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
                    text += error_text(error, tmp_path)
            text += f"  {[span.stage for span in report.timeline]}\n"
            log = Path(f"{program}.log")
            for line in log.read_text().splitlines() if log.exists() else ():
                words = line.split("oci:")
                text += f"  $ {words[0]}{'oci:FOLDER' if len(words) > 1 else ''}\n"
            log.unlink(missing_ok=True)
    made = sorted(path.name for path in (tmp_path / "cache/registry").iterdir())
    again = partial(registry.fetch, parse(f"docker://app@{digest(b'x')}"), X86_64, Reporter())
    assert used_kinds(again, monkeypatch) == {"registry"}
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
            text += f"{raw!r}\n{error_text(error, Path())}"
    compare(HERE / "documents.txt", text)
