"""What is written about an image."""

from __future__ import annotations

from pathlib import Path

from nitro.debian import Package
from nitro.image import manifest
from nitro.image.rootfs import Node, Rootfs

PACKAGE = Package("iperf3", "3.18-2", "amd64", "debian", "pool/i/iperf3.deb", 1, "ab" * 32)


def rootfs() -> Rootfs:
    made = Rootfs()
    made.add("/srv/page", Node("program", "the recipe", source=b"abc"))
    made.add("/usr/bin/iperf3", Node("packages", "Debian", source=b"elf"))
    return made


def test_every_file_with_its_hash_and_origin() -> None:
    files = {file["path"]: file for file in manifest.inputs(rootfs())}
    assert set(files) == {"/srv/page", "/usr/bin/iperf3"}
    page = files["/srv/page"]
    assert (page["size"], page["origin"]) == (3, "the recipe")
    assert page["sha256"].startswith("ba7816bf")


def test_packages_are_listed_once_and_in_order() -> None:
    other = Package("busybox", "1", "amd64", "debian", "pool/b/b.deb", 1, "cd" * 32)
    found = manifest.packages([PACKAGE, other, PACKAGE])
    assert [package["name"] for package in found] == ["busybox", "iperf3"]


def test_bill_of_materials_has_packages_and_own_files() -> None:
    bill = manifest.bill_of_materials("x", "trixie", [PACKAGE], rootfs())
    named = {part["name"]: part for part in bill["components"]}
    assert set(named) == {"iperf3", "/srv/page"}
    assert named["iperf3"]["purl"] == "pkg:deb/debian/iperf3@3.18-2?arch=amd64&distro=trixie"
    assert bill["specVersion"] == "1.6"
    assert "timestamp" not in bill["metadata"]


def test_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifest.digest(tmp_path / "disk") == f"sha256:{known}"
