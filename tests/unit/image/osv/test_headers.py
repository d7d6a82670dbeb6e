"""The headers of a source tree, from the tree or from an archive of it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.osv.headers import collect

VERSION = "v0.57.0-1-g0"


def tree(folder: Path, version: str = VERSION) -> Path:
    """What the headers are taken from, and files that are none."""
    generated = folder / "build/release.x64/gen/include/osv"
    generated.mkdir(parents=True)
    (generated / "version.h").write_text(f'#define OSV_VERSION "{version}"\n')
    (folder / "build/release.x64/.config").write_text("CONF_tracepoints=y\n")
    (folder / "build/last").symlink_to("release.x64")
    (folder / "musl_1.2.1/include").mkdir(parents=True)
    (folder / "musl_1.2.1/include/stdio.h").write_text("/* musl */")
    (folder / "musl").symlink_to("musl_1.2.1")
    (folder / "include/api").mkdir(parents=True)
    (folder / "include/api/stdio.h").symlink_to("../../musl/include/stdio.h")
    (folder / "drivers").mkdir()
    (folder / "drivers/device.hh").write_text("class device;")
    (folder / "drivers/device.cc").write_text("not a header")
    return folder


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as packed:
        return packed.getnames()


def test_headers_are_taken_with_links_followed(tmp_path: Path) -> None:
    path = tmp_path / "headers.tar.gz"
    path.write_bytes(collect(tree(tmp_path / "osv"), VERSION))
    assert names(path) == [
        "build/last/.config",
        "include/api/stdio.h",
        "drivers/device.hh",
        "musl/include/stdio.h",
        "build/last/gen/include/osv/version.h",
    ]


def test_an_archive_of_a_tree_gives_the_same(tmp_path: Path) -> None:
    source = tree(tmp_path / "osv")
    found = collect(source, VERSION)
    for mode in ("w:", "w:gz", "w:xz"):
        path = tmp_path / "osv.tar"
        with tarfile.open(name=path, mode=mode) as archive:
            archive.add(source, "osv-0.57")
        assert collect(path, VERSION) == found
    packed = tmp_path / "headers.tar.gz"
    packed.write_bytes(found)
    assert collect(packed, VERSION) == found


def test_other_sources_are_refused(tmp_path: Path) -> None:
    source = tree(tmp_path / "osv")
    with pytest.raises(InputError, match=r"headers of v0.57.0-1-g0, and the kernel is v0.58.0"):
        collect(source, "v0.58.0")
    with pytest.raises(InputError, match=r"has no build/last/gen/include/osv/version.h"):
        collect(tmp_path / "osv/include", VERSION)
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="neither a folder nor a tar archive"):
        collect(tmp_path / "text", VERSION)
