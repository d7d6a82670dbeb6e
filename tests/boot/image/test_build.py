"""Whole builds, with Debian's packages: the same bytes everywhere, and other tools' judgement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nitro import recipe
from nitro.debian import Wanted, tree
from nitro.image import Image, build, known
from nitro.image import inspect as reader
from nitro.image.formats.gpt import SECTOR
from nitro.paths import cache_dir

pytestmark = pytest.mark.slow

BUILD = "from nitro import recipe, image; print(image.build(recipe.load({!r})).digest)"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A recipe with a file of its own."""
    (tmp_path / "page").write_text("one")
    path = tmp_path / "own.toml"
    path.write_text(
        'command = ["/bin/sh"]\nextras = []\nfiles = [{ source = "page", path = "/srv/page" }]\n'
    )
    return path


def test_same_bytes_from_another_machine(tmp_path: Path) -> None:
    """Another cache, working directory, umask, time zone and language, and one processor."""
    here = build(recipe.load("hello"))
    cache = tmp_path / "cache"
    cache.mkdir()
    for shared in ("trees", "debs", "apt"):  # only so as not to download again
        (cache / shared).symlink_to(cache_dir() / shared)
    code = f"import os; os.umask(0o077); os.sched_setaffinity(0, [0]); {BUILD.format('hello')}"
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "NITRO_CACHE": str(cache),
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C",
            "PYTHONPATH": str(Path(recipe.__file__).parents[1]),
            "PYTHONHASHSEED": "7",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here.digest


def test_unchanged_is_found_and_one_byte_makes_another_image(own: Path) -> None:
    first = build(recipe.load(own))
    assert not first.cached
    again = build(recipe.load(own))
    assert again.cached
    assert known(own) == again
    (own.parent / "page").write_text("two")
    assert known(own) is None
    second = build(recipe.load(own))
    assert not second.cached
    assert second.digest != first.digest
    (own.parent / "page").write_text("one")
    assert build(recipe.load(own)).digest == first.digest


def test_damaged_image_is_built_again(own: Path) -> None:
    first = build(recipe.load(own))
    first.path.write_bytes(b"")
    again = build(recipe.load(own))
    assert not again.cached
    assert reader.inspect(again.path).digest == first.digest


def test_inspect_reads_the_disk(own: Path) -> None:
    image = build(recipe.load(own))
    found = reader.inspect(image.path)
    assert found.digest == image.digest
    assert found.matches_manifest
    assert found.kernel.endswith("-cloud-amd64")
    assert set(found.boot) == {"EFI/BOOT/BOOTX64.EFI", "INITRD", "VMLINUZ"}
    files = {file.path: file for file in found.files}
    assert files["/srv/page"].size == 3
    assert files["/init"].target == "usr/lib/nitro/init"
    assert files["/usr/lib/nitro/init"].mode == 0o100755
    assert found.summary()["manifest"] == "matches"
    assert "files" not in found.to_json()
    assert len(found.to_json(files=True)["files"]) == len(files)


def test_manifest_and_bill_of_materials_tell_what_is_inside() -> None:
    image = build(recipe.load("bench"))
    manifest = json.loads(image.manifest_path.read_text())
    on_disk = {file.path for file in reader.inspect(image.path).files if file.mode & 0o100000}
    assert {file["path"] for file in manifest["files"]} <= on_disk
    bill = json.loads(image.bill_of_materials.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    purls = [part["purl"] for part in bill["components"] if "purl" in part]
    assert any(purl.startswith("pkg:deb/debian/iperf3@3.18") for purl in purls)
    assert any("linux-image-" in purl for purl in purls)


def test_other_tools_read_the_disk_alike() -> None:
    """sfdisk on the partitions, fsck.fat and mtools on the volume, cpio on the archive."""
    image = build(recipe.load("hello"))
    tools = tree(Wanted(("fdisk", "dosfstools", "mtools", "cpio", "zstd")))

    def run(*argv: str, given: bytes | None = None) -> str:
        # The name decides what mtools does; started by its loader, a program is told it so.
        *loader, program = tools.program(argv[0])
        command = [*loader, "--argv0", argv[0], program, *argv[1:]]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        output = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, f"{argv}: {output}"
        return output

    assert "No errors detected" in run("sfdisk", "--verify", str(image.path))
    table = json.loads(run("sfdisk", "--json", str(image.path)))["partitiontable"]
    assert [part["name"] for part in table["partitions"]] == ["BIOS boot", "EFI system"]
    esp = table["partitions"][1]
    volume = image.path.with_name("esp.test")
    with image.path.open("rb") as disk:
        disk.seek(esp["start"] * SECTOR)
        volume.write_bytes(disk.read(esp["size"] * SECTOR))
    try:
        run("fsck.fat", "-n", "-v", str(volume))
        initrd = volume.with_name("initrd.test")
        run("mtype", "-i", str(volume), "::/EFI/BOOT/BOOTX64.EFI")
        run("mcopy", "-n", "-i", str(volume), "::/INITRD", str(initrd))
        archives = b"".join(_frames(initrd.read_bytes(), tools.program("zstd")))
        initrd.unlink()
    finally:
        volume.unlink()
    listed = run("cpio", "--list", "--quiet", given=archives).split()
    assert "usr/lib/nitro/init" in listed


def _frames(initrd: bytes, zstd: list[str]) -> list[bytes]:
    """The first archive: a reader of our own would prove nothing about the format."""
    done = subprocess.run([*zstd, "-dc"], input=initrd, capture_output=True, check=False)
    return [done.stdout]


def test_recipe_that_does_not_work_leaves_nothing(tmp_path: Path) -> None:
    before = set((cache_dir() / "images").iterdir()) if (cache_dir() / "images").exists() else set()
    path = tmp_path / "bad.toml"
    path.write_text('programs = ["/usr/bin/none"]\n')
    with pytest.raises(Exception, match=r"bad.toml: /usr/bin/none is not on this machine"):
        build(recipe.load(path))
    assert set((cache_dir() / "images").iterdir()) == before


def _size(image: Image) -> int:
    return image.path.stat().st_blocks * 512


def test_bench_is_small() -> None:
    image = build(recipe.load("bench"))
    assert image.size_bytes <= 20_000_000
    assert _size(image) <= 20_000_000
