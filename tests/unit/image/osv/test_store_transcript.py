"""Kernels in all that they come in: what is kept, told, exported and offered of each."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nitro.documents.images import KERNEL_INDEX_SCHEMA
from nitro.errors import InputError
from nitro.image.osv import artifact, disk, doctor, headers, store
from nitro.image.osv.segment import Segment
from tests.said import Said
from tests.transcripts import compare
from tests.unit.image.osv.kernel import NOTE, build, compressed_disk
from tests.unit.image.osv.test_artifact import FORMS
from tests.unit.image.osv.test_headers import old_tree, tree

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

URL = "https://kernels.example.com/osv/index.json"

PROBE = "_ZN3aws3ena5probeEPN2hw9hw_deviceE"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def test_kernels_of_all_forms(tmp_path: Path) -> None:
    said = Said(tmp_path)
    path = tmp_path / "file"

    def shown() -> str:
        kernel = artifact.read(path, "origin" if path.stat().st_size % 2 else None)
        boot = "no boot sector" if kernel.boot_sector is None else _digest(kernel.boot_sector)
        about = store.describe(kernel, "n", "o", "s", "w")
        known = {key: about[key] for key in ("kind", "boot", "drivers", "ramfs_capacity")}
        return f"{_digest(kernel.segment.data)} {boot} {known}"

    for name, content in FORMS.items():
        path.write_bytes(content)
        said(name, shown)
        path.write_bytes(content[: len(content) // 3])
        said(f"a third of {name}", shown)
    plain = build()
    changes: dict[str, tuple[int, bytes]] = {
        "32 bits": (4, b"\1"),
        "big-endian": (5, b"\2"),
        "for ARM": (18, b"\xb7"),
        "no version": (0x300, b"osv"),
        "no BIOS entry": (0x800, bytes(4)),
        "a note of another name": (NOTE + 12, b"Abc\0"),
        "a note of another type": (NOTE + 8, b"\x11"),
        "a note of another size": (NOTE + 4, b"\5"),
        "a note of eight bytes": (NOTE + 4, b"\x08"),
        "a note of a longer name": (NOTE, b"\5"),
        "a note that is cut": (64 + 32, b"\x0b"),
        "a note outside": (64 + 8, b"\xff\xff\xff"),
        "no note": (64, b"\3"),
        "two loaded segments": (64, b"\1"),
        "no loaded segment": (120, b"\3"),
        "headers at the end": (32, struct.pack("<Q", len(plain) - 100)),
        "headers outside": (32, struct.pack("<Q", len(plain) - 50)),
        "no headers": (56, b"\0"),
        "an offset": (120 + 8, b"\1"),
        "more stored than there is": (120 + 34, b"\1"),
        "less memory than stored": (120 + 40, bytes(8)),
        "too low": (120 + 16, struct.pack("<Q", 0x3FFFFFFF)),
        "as low as can be": (120 + 16, struct.pack("<Q", 0x40000000)),
        "up to the top": (120 + 16, struct.pack("<Q", (1 << 32) - len(plain) - 0x500)),
        "beyond the top": (120 + 16, struct.pack("<Q", (1 << 32) - len(plain) - 0x500 + 1)),
    }
    for name, (place, data) in changes.items():
        changed = bytearray(plain)
        changed[place : place + len(data)] = data
        path.write_bytes(changed)
        said(name, shown)
    two = struct.pack("<III4sIIII4s", 4, 3, 18, b"Abc\0", 0, 4, 8, 18, b"Xen\0") + bytes([9] * 8)
    noted = bytearray(plain)
    noted[NOTE : NOTE + len(two)] = two
    struct.pack_into("<Q", noted, 64 + 32, len(two))
    path.write_bytes(noted)
    said("the second of two notes", lambda: artifact.read(path).segment.pvh_entry)
    for count in (0, 1, 2, 0xFFFF):
        sector = bytearray(disk.BOOT_SECTOR)
        struct.pack_into("<H", sector, artifact.COUNT, count)
        path.write_bytes(compressed_disk(build(size=1 << 20))[512:].rjust(0, b"\0"))
        path.write_bytes(bytes(sector) + path.read_bytes())
        said(f"a sector that reads {count} units", shown)
    said("no file", lambda: artifact.read(tmp_path / "none"))
    said("a folder", lambda: artifact.read(tmp_path))
    for start in (b"\x7fELF", bytes(0x202) + b"HdrS", bytes(0x203) + b"HdrS", b"", b"QFI\xfb"):
        said(f"begins as {start[-6:]!r}", lambda start=start: artifact.is_kernel(start))
    for exports in ((), (PROBE,)):
        path.write_bytes(build(exports=exports))
        said(f"without its driver {exports}", lambda: _without(path))
    compare(HERE / "kernel-files.txt", said.text)


def _without(path: Path) -> str:
    kernel = artifact.read(path)
    before, after = kernel.segment.data, kernel.without_own_ena().segment.data
    changed = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    return f"{changed[0]:#x} to {changed[-1]:#x}: {after[0x900:0x904].hex()} {len(after)}"


def test_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    said = Said(tmp_path)
    file = tmp_path / "loader.elf"
    file.write_bytes(build(exports=["one"]) + b"symbols")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    home = tmp_path / "state/kernels/osv"
    said("none", lambda: store.find(""))
    said("none of the name", lambda: store.find("mine"))
    said("nothing to export", lambda: store.export(tmp_path / "site"))
    said("doctor", doctor.examine)
    source = tree(tmp_path / "source")
    adds: dict[str, dict[str, Any]] = {
        "mine": {"origin": "o", "sha256": digest.upper()},
        "with": {"origin": "o", "source": source},
        "from": {"origin": "o", "source": source, "source_origin": "there"},
        "sector": {"origin": "o", "boot_sector": disk.BOOT_SECTOR},
        "x" * 63: {"origin": "o"},
        "x" * 64: {"origin": "o"},
        "_x": {"origin": "o"},
        "wrong": {"origin": "here", "sha256": "0" * 64},
        "short": {"origin": "here", "sha256": "0" * 63},
        "sourceless": {"origin": "o", "source": tmp_path / "none"},
    }
    for name, keys in adds.items():
        said(f"add {name}", lambda name=name, keys=keys: store.add(name, file, **keys).about)
    file.write_bytes(b"text")
    said("add text", lambda: store.add("mine", file, origin="there"))
    said("names", store.names)
    said("kept", lambda: [sorted(p.name for p in one.iterdir()) for one in sorted(home.iterdir())])
    for name in ("mine", "with", "sector"):
        kept = store.find(name)
        said(f"summary of {name}", lambda kept=kept: json.dumps(store.summary(kept.about)))
        said(f"layout of {name}", lambda name=name: (home / name / "layout.json").read_text())
    bare = {**store.find("mine").about, "name": "", "boot": [], "drivers": [], "source": ""}
    said("summary of another", lambda: store.summary(bare))  # type: ignore[arg-type]
    said("several", lambda: store.find(""))
    said("doctor", doctor.examine)
    for drivers in ((), ("ena",), ("nvme",)):
        said(f"notes {drivers}", lambda drivers=drivers: doctor.notes(drivers))
    index = store.export(tmp_path / "site/deep")
    index_text = index.read_text()
    document = json.loads(index_text)
    for one in document["kernels"]:
        one.pop("headers_sha256", None)
    said("index", lambda: json.dumps(document, indent=1))
    said("the same again", lambda: store.export(tmp_path / "site/deep").read_text() == index_text)
    said("neither name nor file", lambda: store.add("_x", tmp_path / "none", origin="o"))
    said("site", lambda: sorted(path.name for path in index.parent.iterdir()))
    (home / "mine/boot.bin").write_bytes(b"short")
    said("a damaged boot sector", lambda: store.find("mine").kernel().boot_sector)
    about = json.loads((home / "mine/kernel.json").read_text())
    for key in ("name", "source", "kind", "origin"):
        less = {name: value for name, value in about.items() if name != key}
        (home / "mine/kernel.json").write_text(json.dumps(less))
        said(f"without {key}", lambda: store.find("mine").name)
    for raw in ("{", "[]", "1", "null"):
        (home / "mine/kernel.json").write_text(raw)
        said(raw, lambda: store.find("mine").name)
    (home / "with/kernel.elf").write_bytes(b"x")
    said("a damaged kernel", lambda: store.find("with").kernel())
    (home / "with/kernel.elf").unlink()
    said("no kernel", lambda: store.find("with").kernel())
    said("remove", lambda: store.remove("with", "gone"))
    said("remove", lambda: store.remove("with", "x" * 63, "with"))
    said("names", store.names)
    compare(HERE / "kept.txt", said.text.replace("x" * 60, "x…"))


def test_what_is_offered(tmp_path: Path) -> None:
    said = Said(tmp_path)
    index = tmp_path / "index.json"
    one = {"name": "a", "file": "a.elf", "sha256": "AB" * 32}
    full = {**one, "headers": "a.tar.gz", "headers_sha256": "cd" * 32, "boot_sector": ""}
    sector = "A" * 680 + "AFWq"
    cases: dict[str, Any] = {
        "one": [one],
        "all": [{**full, "boot_sector": sector}],
        "a short sector": [{**full, "boot_sector": "Vao="}],
        "no base64": [{**full, "boot_sector": "!"}],
        "a number": [{**full, "boot_sector": 1}],
        "headers without a digest": [{**one, "headers": "x"}],
        "a digest without headers": [{**one, "headers_sha256": "x"}],
        "a wrong digest": [{**one, "sha256": "x"}],
        "a wrong digest of headers": [{**one, "headers": "x", "headers_sha256": "x"}],
        "another name": [{**one, "name": "b"}, {**one, "name": "c"}],
        "a number for a name": [{**one, "name": 1}],
        "none": [],
        "a number for kernels": 1,
        "another address": [{**one, "file": "https://other.example.com/x.elf"}],
        "above": [{**one, "file": "../x.elf"}],
        "of the root": [{**one, "file": "/x.elf"}],
    }
    for key in one:
        cases[f"without {key}"] = [{name: value for name, value in one.items() if name != key}]
    for name, kernels in cases.items():
        for url in (URL, "s3://bucket/osv/index.json"):
            index.write_text(json.dumps({"schema": KERNEL_INDEX_SCHEMA, "kernels": kernels}))
            said(f"{name} of {url}", lambda url=url: _offer(index, url))
    for raw in ("{", "[]", '{"kernels": []}', '{"schema": 1}', "[" * 100_000, "\n  {", " text", ""):
        index.write_text(raw)
        said(raw[:20], lambda: _offer(index, URL))
        said("is an index", lambda: store.is_index(index))
    whole = json.dumps({"schema": KERNEL_INDEX_SCHEMA, "kernels": [one]})
    for size in (4 << 20, (4 << 20) + 1):
        index.write_text(whole.ljust(size))
        said(f"{size} bytes", lambda: _offer(index, URL))
    said("no file", lambda: store.sha256_of(tmp_path / "none"))
    said("a folder", lambda: store.sha256_of(tmp_path))
    compare(HERE / "offers.txt", said.text)


def _offer(index: Path, url: str) -> str:
    found = store.offered(index, url, "a")
    sector = None if found.boot_sector is None else len(found.boot_sector)
    return f"{found.url} {found.sha256[:4]} {found.headers_url} {found.headers_sha256} {sector}"


def test_headers(tmp_path: Path) -> None:
    said = Said(tmp_path)
    kernel = Segment.parse(build(exports=["main", "made_quick"]))
    version = "v0.57.0-1-g0"

    def show(source: Path, asked: str = version) -> str:
        packed = headers.collect(source, asked, kernel)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            members = archive.getmembers()
            shown = [f"{one.name}:{one.size}:{one.mode:o}:{one.mtime}:{one.uid}" for one in members]
            first = archive.extractfile(members[0])
            assert first
            return f"{packed[:8].hex()} {shown} {first.read()!r}"

    trees = {"new": tree(tmp_path / "new"), "old": old_tree(tmp_path / "old")}
    for name in ("Makefile", "conf/base.mk", "build/last/gen/include/osv/version.h"):
        with (trees["old"] / name).open("ab") as file:
            file.write(b"# caf\xe9\n")
    for name, source in trees.items():
        said(name, lambda source=source: show(source))
        said(f"{name} of another version", lambda source=source: show(source, "v9"))
        for prefix in (".", "osv-1.0"):
            path = tmp_path / f"{name}.tar"
            with tarfile.open(path, "w") as archive:
                archive.add(source, prefix)
            said(f"{name} in an archive below {prefix}", lambda path=path: show(path))
        packed = tmp_path / f"{name}.tar.gz"
        packed.write_bytes(headers.collect(source, version, kernel))
        said(f"{name} collected again", lambda packed=packed: show(packed))
        said(
            f"{name}, the same bytes",
            lambda p=packed: headers.collect(p, version, kernel) == p.read_bytes(),
        )
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(InputError, match="text: neither a folder nor a tar archive: "):
        show(tmp_path / "text")
    said("nothing", lambda: show(tmp_path / "none"))
    old = trees["old"]
    (old / "build/release.x64").rename(old / "build/debug.x64")
    (old / "build/last").unlink()
    (old / "build/last").symlink_to("debug.x64")
    said("a build for debugging", lambda: show(old))
    (old / "conf/debug.mk").unlink()
    said("a mode without a file", lambda: show(old))
    (old / "Makefile").write_text("configuration-defines = conf-preempt\n")
    said("no language", lambda: show(old))
    (old / "conf/base.mk").unlink()
    said("no base", lambda: show(old))
    new = trees["new"]
    for name, exports in {"a": ["main"], "b": ["main", "made_quick"], "c": ["x"]}.items():
        folder = new / f"build/{name}.x64"
        (folder / "gen/include/osv").mkdir(parents=True)
        (folder / ".config").write_text(f"build {name}\n")
        (folder / "gen/include/osv/version.h").write_text(f'#define OSV_VERSION "{version}"\n')
        (folder / "loader-stripped.elf").write_bytes(build(exports=exports))
        said(f"with a build {name}", lambda: show(new))
    (new / "build/b.x64/loader-stripped.elf").write_bytes(b"damaged")
    said("the best one damaged", lambda: show(new))
    (new / "build/b.x64/loader.elf").write_bytes(build(exports=["main", "made_quick"]))
    said("with another file", lambda: show(new))
    (new / "build/b.x64/.config").unlink()
    said("no configuration", lambda: show(new))
    (new / "build/b.x64/gen/include/osv/version.h").write_text("nothing\n")
    (new / "build/b.x64/.config").touch()
    said("no version", lambda: show(new))
    (new / "build/b.x64/gen/include/osv/version.h").unlink()
    said("no version's file", lambda: show(new))
    (new / "build/last").unlink()
    said("no last build", lambda: show(new))
    compare(HERE / "headers.txt", said.text)
