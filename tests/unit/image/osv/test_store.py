"""Kernels that are added, found, offered to others and removed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.osv import store
from tests.unit.image.osv.kernel import build, compressed_disk
from tests.unit.image.osv.test_headers import tree

URL = "https://kernels.example.com/osv/index.json"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    path = tmp_path / "loader.elf"
    path.write_bytes(build() + b"symbols")
    return path


def add(file: Path, name: str = "mine") -> store.Stored:
    return store.add(name, file, origin=str(file))


def test_a_kernel_is_found_by_its_name(file: Path) -> None:
    added = add(file)
    found = store.find("mine")
    assert found == added
    assert found.about["version"] == "v0.57.0-1-g0"
    assert found.about["ramfs_files"] == ["/libenv.so", "/dev/", "/bin"]
    assert found.about["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.headers is None
    assert found.kernel().segment.without_sections() == found.path.read_bytes()
    assert store.summary(found.about)["boots by"] == "bios, pvh"


@pytest.mark.parametrize(
    "change",
    [
        lambda layout: "{",
        lambda layout: json.dumps(layout | {"table": layout["table"] + 128}),
        lambda layout: json.dumps(layout | {"room": layout["room"] + 1}),
        lambda layout: json.dumps(layout | {"end": layout["end"] + 1}),
        lambda layout: json.dumps(layout | {"table": "0"}),
        lambda layout: json.dumps(layout | {"operands": [1]}),
        lambda layout: json.dumps(layout | {"operands": 1}),
        lambda layout: json.dumps({k: v for k, v in layout.items() if k != "operands"}),
        lambda layout: json.dumps([]),
    ],
)
def test_a_layout_that_was_kept_is_used_only_when_it_is_the_kernels(
    file: Path, change: Callable[[dict[str, int]], str]
) -> None:
    stored = add(file)
    kept = stored.path.with_name("layout.json")
    layout = stored.kernel().layout
    assert json.loads(kept.read_text()) == json.loads(json.dumps(asdict(layout)))
    kept.write_text(change(asdict(layout)))
    assert stored.kernel().layout == layout
    kept.unlink()
    assert stored.kernel().layout == layout


def test_without_a_name_the_only_one_is_meant(file: Path) -> None:
    with pytest.raises(InputError, match="no OSv kernel has been added"):
        store.find("")
    add(file)
    assert store.find("").name == "mine"
    add(file, "other")
    with pytest.raises(InputError, match="several OSv kernels"):
        store.find("")
    with pytest.raises(InputError, match=r"known: mine, other"):
        store.find("third")


@pytest.mark.extended
def test_a_kernel_keeps_the_boot_sector_it_came_with(file: Path) -> None:
    disk = file.with_name("usr.img")
    disk.write_bytes(compressed_disk(build(size=1 << 20)))
    sector = add(disk).kernel().boot_sector
    assert sector == disk.read_bytes()[:512]
    assert store.find("mine").kernel().boot_sector == sector


def test_a_kernel_is_replaced_and_removed(file: Path) -> None:
    add(file)
    file.write_bytes(build(version=b"v0.58.0"))
    assert add(file).about["version"] == "v0.58.0"
    assert store.names() == ["mine"]
    store.remove("mine")
    assert store.names() == []


@pytest.mark.parametrize("name", ["", "../x", ".x", "a b", "x" * 64])
def test_names_that_cannot_be(name: str, file: Path) -> None:
    with pytest.raises(InputError, match="cannot be a kernel's name"):
        add(file, name)


def test_a_wrong_checksum_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="not 00000"):
        store.add("mine", file, origin="x", sha256="0" * 64)
    with pytest.raises(InputError, match="not a SHA-256"):
        store.add("mine", file, origin="x", sha256="abc")
    assert store.names() == []


def test_other_files_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        add(file.with_name("none"))
    with pytest.raises(InputError, match="check --source"):
        store.add("mine", file, origin="x", source=file.with_name("none"))


def test_a_kernel_that_was_damaged(file: Path) -> None:
    stored = add(file)
    stored.path.write_bytes(b"\x7fELF")
    with pytest.raises(InputError, match="osv:mine is damaged"):
        stored.kernel()
    stored.path.with_name("kernel.json").write_text("[]")
    with pytest.raises(InputError, match="osv:mine is damaged"):
        store.find("mine")
    store.remove("mine")
    assert store.names() == []


def test_all_kernels_of_a_removal_or_none(file: Path) -> None:
    for name in "abc":
        add(file, name)
    with pytest.raises(InputError, match="no OSv kernel 'x'; known: a, b, c"):
        store.remove("a", "x")
    with pytest.raises(InputError, match="cannot be a kernel's name"):
        store.remove("a", "../x")
    assert store.names() == ["a", "b", "c"]
    store.remove("a", "c", "a")
    assert store.names() == ["b"]
    assert [path.name for path in (file.parent / "state/kernels/osv").iterdir()] == ["b"]


def test_an_index_leads_to_the_exported_kernels(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no OSv kernel has been added"):
        store.export(tmp_path / "site")
    add(file)
    index = store.export(tmp_path / "site")
    assert store.is_index(index)
    assert not store.is_index(tmp_path / "site" / "mine.elf")
    offer = store.offered(index, URL, "mine")
    assert offer.url == "https://kernels.example.com/osv/mine.elf"
    assert offer.sha256 == hashlib.sha256((tmp_path / "site/mine.elf").read_bytes()).hexdigest()
    again = store.add("copy", tmp_path / "site/mine.elf", origin=offer.url, sha256=offer.sha256)
    assert again.about["kernel_sha256"] == store.find("mine").about["kernel_sha256"]


def test_headers_travel_with_the_kernel(file: Path, tmp_path: Path) -> None:
    source = tree(tmp_path / "osv", "v0.57.0-1-g0")
    kept = store.add("mine", file, origin="x", source=source).headers
    assert kept
    offer = store.offered(store.export(tmp_path / "site"), URL, "mine")
    assert offer.headers_url == "https://kernels.example.com/osv/mine.headers.tar.gz"
    archive = tmp_path / "site/mine.headers.tar.gz"
    assert store.check_file(archive, offer.headers_sha256, "x")
    assert store.add("copy", file, origin="x", source=archive).headers
    assert archive.read_bytes() == kept.read_bytes()


@pytest.mark.extended
def test_the_boot_sector_travels_with_the_kernel(file: Path, tmp_path: Path) -> None:
    file.write_bytes(compressed_disk(build(size=1 << 20)))
    sector = add(file).kernel().boot_sector
    assert sector
    index = store.export(tmp_path / "site")
    offer = store.offered(index, URL, "mine")
    assert offer.boot_sector == sector
    exported = tmp_path / "site/mine.elf"
    again = store.add("copy", exported, origin="x", boot_sector=offer.boot_sector)
    assert again.kernel().boot_sector == sector
    assert again.about["boot_sector"]

    document = json.loads(index.read_text())
    for damaged in ("", "xyz", "AAAA", 1):
        document["kernels"][0]["boot_sector"] = damaged
        index.write_text(json.dumps(document))
        with pytest.raises(InputError, match="not an index of kernels"):
            store.offered(index, URL, "mine")


def test_an_index_in_a_bucket(file: Path, tmp_path: Path) -> None:
    add(file)
    index = store.export(tmp_path / "site")
    assert store.offered(index, "s3://ours/osv/index.json", "mine").url == "s3://ours/osv/mine.elf"


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ([], "not an index"),
        ({"schema": "x", "kernels": []}, "not an index"),
        ({"schema": "nitro.kernels/1", "kernels": [{"name": "a"}]}, "not an index"),
        ({"schema": "nitro.kernels/1", "kernels": []}, "has no kernel 'mine'"),
    ],
)
def test_other_indexes(document: object, what: str, tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=what):
        store.offered(path, URL, "mine")
