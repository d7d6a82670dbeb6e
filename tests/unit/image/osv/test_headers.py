"""The headers of a source tree, from the tree or from an archive of it."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.osv.headers import OPTIONS, collect
from nitro.image.osv.segment import Segment
from tests.unit.image.osv import kernel

VERSION = "v0.57.0-1-g0"
KERNEL = Segment.parse(kernel.build(exports=["main", "made_quick"]))


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


def old_tree(folder: Path) -> Path:
    """One of a release that knew no kconfig."""
    tree(folder)
    (folder / "build/release.x64/.config").unlink()
    (folder / "Makefile").write_text(
        "CXXFLAGS = -std=gnu++11 $(COMMON) $(cxx-hide-flags)\n"
        "configuration-defines = conf-preempt conf-logger_debug \\\n\t\t\tconf-lazy_stack\n\n"
        "configuration = $(foreach cf,$(configuration-defines),)\n"
    )
    (folder / "conf").mkdir()
    base = "conf-preempt=1\n# more in debug\nconf-logger_debug=0\nconf-lazy_stack=0\nconf-opt =\n"
    (folder / "conf/base.mk").write_text(base)
    (folder / "conf/release.mk").write_text("conf-opt = -O2 -DNDEBUG\n")
    (folder / "conf/debug.mk").write_text("conf-opt = -O0\nconf-logger_debug=1\n")
    return folder


def read(archive: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        file = packed.extractfile(name)
        assert file
        return file.read().decode()


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as packed:
        return packed.getnames()


def test_headers_are_taken_with_links_followed(tmp_path: Path) -> None:
    path = tmp_path / "headers.tar.gz"
    path.write_bytes(collect(tree(tmp_path / "osv"), VERSION, KERNEL))
    assert names(path) == [
        "build/last/.config",
        "include/api/stdio.h",
        "drivers/device.hh",
        "musl/include/stdio.h",
        "build/last/gen/include/osv/version.h",
    ]


@pytest.mark.extended
def test_an_archive_of_a_tree_gives_the_same(tmp_path: Path) -> None:
    source = tree(tmp_path / "osv")
    found = collect(source, VERSION, KERNEL)
    for mode in ("w:", "w:gz", "w:xz"):
        path = tmp_path / "osv.tar"
        with tarfile.open(name=path, mode=mode) as archive:
            archive.add(source, "osv-0.57")
        assert collect(path, VERSION, KERNEL) == found
    packed = tmp_path / "headers.tar.gz"
    packed.write_bytes(found)
    assert collect(packed, VERSION, KERNEL) == found


def test_other_sources_are_refused(tmp_path: Path) -> None:
    source = tree(tmp_path / "osv")
    with pytest.raises(InputError, match=r"headers of v0.57.0-1-g0, and the kernel is v0.58.0"):
        collect(source, "v0.58.0", KERNEL)
    with pytest.raises(InputError, match=r"has no build/last/gen/include/osv/version.h"):
        collect(tmp_path / "osv/include", VERSION, KERNEL)
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="neither a folder nor a tar archive"):
        collect(tmp_path / "text", VERSION, KERNEL)


def test_of_several_builds_that_of_the_kernel_counts(tmp_path: Path) -> None:
    """Their structures differ in size, and the last one made need not be the kernel's."""
    source = tree(tmp_path / "osv")
    debug = source / "build/debug.x64"
    shutil.copytree(source / "build/release.x64", debug)
    (debug / ".config").write_text("CONF_logger_debug=y\n")
    built = kernel.build(exports=["main", "made_quick"], entries=[])  # of another RAMFS
    (source / "build/release.x64/loader.elf").write_bytes(built)
    (debug / "loader-stripped.elf").write_bytes(kernel.build(exports=["main", "made_slow"]))
    configuration = "build/last/.config"
    for last in ("release.x64", "debug.x64"):
        (source / "build/last").unlink()
        (source / "build/last").symlink_to(last)
        assert read(collect(source, VERSION, KERNEL), configuration) == "CONF_tracepoints=y\n"
    slow = Segment.parse(kernel.build(exports=["main", "made_slow"]))
    assert read(collect(source, VERSION, slow), configuration) == "CONF_logger_debug=y\n"
    # Neither is nearer: the last one made.
    assert "logger" in read(collect(source, VERSION, Segment.parse(kernel.build())), configuration)


@pytest.mark.parametrize(("mode", "debug"), [("release", 0), ("debug", 1)])
def test_an_older_release_has_its_configuration_in_options(
    mode: str, debug: int, tmp_path: Path
) -> None:
    source = old_tree(tmp_path / "osv")
    (source / "build/release.x64").rename(source / f"build/{mode}.x64")
    (source / "build/last").unlink()
    (source / "build/last").symlink_to(f"{mode}.x64")
    found = collect(source, VERSION, KERNEL)
    assert read(found, OPTIONS) == (
        f"-std=gnu++11 -DCONF_preempt=1 -DCONF_logger_debug={debug} -DCONF_lazy_stack=0\n"
    )
    packed = tmp_path / "headers.tar.gz"
    packed.write_bytes(found)
    assert ".config" not in " ".join(names(packed))
    assert collect(packed, VERSION, KERNEL) == found


def test_a_tree_without_a_configuration_is_refused(tmp_path: Path) -> None:
    source = tree(tmp_path / "new")
    (source / "build/release.x64/.config").unlink()
    with pytest.raises(InputError, match=r"new has no build/last/\.config"):
        collect(source, VERSION, KERNEL)
    source = old_tree(tmp_path / "old")
    (source / "conf/base.mk").unlink()
    with pytest.raises(InputError, match=r"old has no conf/base\.mk"):
        collect(source, VERSION, KERNEL)
