from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nitro.arch import X86_64
from nitro.debian import Lock, Package, Tree, Wanted, apt, fetch, tree
from nitro.errors import InputError, NitroError
from nitro.progress import Reporter

from .conftest import MakePackage

# As apt's downloader says it.
FULL = "E: Failed to fetch http://x  Error writing to file - write (28: No space left on device)"


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "debian.lock")


@pytest.mark.extended
def test_packages_are_unpacked_side_by_side_into_a_merged_usr(
    make_package: MakePackage, lock: Lock
):
    packages = (
        make_package("old", {"lib/old.so": "old"}),  # a package from before /usr was merged
        make_package("new", {"usr/lib/new.so": "new"}),
    )
    lock.put(Wanted(("old", "new")), packages)
    unpacked = tree(Wanted(("old", "new")), lock=lock)
    assert unpacked.path("/usr/lib/old.so").read_text() == "old"
    assert unpacked.path("/lib/new.so").read_text() == "new"
    assert unpacked.packages == packages


@pytest.mark.extended
def test_alternatives_are_links_in_the_tree(make_package: MakePackage, lock: Lock):
    offer = "update-alternatives --install /usr/bin/awk awk /usr/bin/{0} {1}\n"
    packages = (
        make_package("mawk", {"usr/bin/mawk": "m"}, postinst=offer.format("mawk", 5)),
        make_package("gawk", {"usr/bin/gawk": "g"}, postinst=offer.format("gawk", 10)),
    )
    lock.put(Wanted(("mawk", "gawk")), packages)
    assert tree(Wanted(("mawk", "gawk")), lock=lock).path("/usr/bin/awk").read_text() == "g"


@pytest.mark.extended
def test_links_are_followed_inside_the_tree(make_package: MakePackage, lock: Lock):
    package = make_package("one", {"usr/share/real": "content"})
    lock.put(Wanted(("one",)), (package,))
    unpacked = tree(Wanted(("one",)), lock=lock)
    (unpacked.root / "usr/share/link").symlink_to("/usr/share/real")
    assert unpacked.path("/usr/share/link").read_text() == "content"
    with pytest.raises(NitroError, match="no /usr/share/absent in the Debian packages one"):
        unpacked.path("/usr/share/absent")


def test_bytes_other_than_the_pinned_ones_are_refused(
    make_package: MakePackage, lock: Lock, pool: Path, tmp_path: Path
):
    package = make_package("one", {"usr/bin/one": "true"})
    (pool / package.path).write_bytes((pool / package.path).read_bytes()[:-1] + b"x")
    lock.put(Wanted(("one",)), (package,))
    with pytest.raises(NitroError, match=r"one 1\.0"):
        tree(Wanted(("one",)), lock=lock)
    assert not list((tmp_path / "cache").glob("trees/*"))


@pytest.mark.extended
def test_a_pinned_version_that_the_archive_dropped_is_resolved_anew(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch
):
    gone = replace(
        make_package("one", {"a": "1"}, "1.0"), archive="debian-security", sha256="0" * 64
    )
    current = make_package("one", {"a": "2"}, "2.0")
    wanted = Wanted(("one",))
    lock.put(wanted, (gone,))
    root = apt.AptRoot("trixie", X86_64, Path("unused"))
    monkeypatch.setattr(apt.AptRoot, "open", lambda suite, arch: root)
    monkeypatch.setattr(apt.AptRoot, "resolve", lambda self, wanted: (current,))

    class Notes(Reporter):
        notes: list[str]

        def note(self, text: str) -> None:
            self.notes.append(text)

    report = Notes()
    report.notes = []
    assert tree(wanted, lock=lock, report=report).path("/a").read_text() == "2"
    assert lock.get(wanted) == (current,)
    assert "one 1.0" in report.notes[0]

    lock.put(wanted, (gone,))
    with pytest.raises(NitroError, match="does not pin"):
        tree(wanted, lock=replace(lock, frozen=True))


def test_a_frozen_lock_does_not_replace_what_the_archive_dropped(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    apt_helper(tmp_path, monkeypatch, "echo 'Err:1 404  Not Found' >&2; exit 100")
    package = make_package("one", {"a": "1"})
    lock.put(Wanted(("one",)), (package,))
    with pytest.raises(NitroError, match="does not pin what Debian has now for: trixie closure"):
        tree(Wanted(("one",)), lock=replace(lock, frozen=True))


def apt_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """A downloader that does as it is told; `$6` is the file that it is to write."""
    program = tmp_path / "apt-helper"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(fetch, "_HELPER", str(program))


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("exit 100", r"could not download one 1\.0: apt gave no reason; check that this machine"),
        ("echo 'W: slow\nE: no route' >&2; exit 100", r"could not download one 1\.0: E: no route"),
        ("echo 'E: no route\nE: Download Failed' >&2; exit 100", r"one 1\.0: E: no route"),
        ('echo else >"$6"', r"one_1\.0\.deb: differs from what Debian signed"),
        (f'echo half >"$6"; echo "{FULL}" >&2; exit 100', r"cache/debs: No space left on device"),
    ],
)
def test_a_download_that_fails_is_explained(
    make_package: MakePackage,
    lock: Lock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    does: str,
    message: str,
):
    apt_helper(tmp_path, monkeypatch, does)
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1"}),))
    with pytest.raises(NitroError, match=message):
        tree(Wanted(("one",)), lock=lock)
    assert not list((tmp_path / "cache/debs").iterdir()), "nothing is left half done"


def test_a_package_that_cannot_be_unpacked_leaves_no_tree(pool: Path, lock: Lock, tmp_path: Path):
    (pool / "one.deb").write_bytes(b"no package")
    digest = hashlib.sha256(b"no package").hexdigest()
    lock.put(Wanted(("one",)), (Package("one", "1.0", "all", "debian", "one.deb", 10, digest),))
    with pytest.raises(NitroError, match=r"could not unpack one_.*dpkg-deb: error"):
        tree(Wanted(("one",)), lock=lock)
    assert not list((tmp_path / "cache/trees").iterdir())


def fake_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """A tar that does as it is told, and reads nothing."""
    program = tmp_path / "bin/tar"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.parametrize(
    "complaint", ["Cannot write: No space left on device", "Wrote only 9728 of 10240 bytes"]
)
def test_a_disk_that_is_full_while_unpacking_is_one_line(
    make_package: MakePackage,
    lock: Lock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    complaint: str,
):
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1"}),))
    lines = "for n in 1 2 3 4; do"
    fake_tar(tmp_path, monkeypatch, f'{lines} echo "tar: ./usr/$n: {complaint}" >&2; done; exit 2')
    with pytest.raises(NitroError) as caught:
        tree(Wanted(("one",)), lock=lock)
    assert caught.value.what == f"{tmp_path}/cache/trees: No space left on device"
    assert "NITRO_CACHE" in (caught.value.hint or "")
    assert not list((tmp_path / "cache/trees").iterdir())


@pytest.mark.extended
def test_of_many_lines_of_tar_the_first_one_is_told(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1" * (1 << 20)}),))
    fake_tar(tmp_path, monkeypatch, "echo 'tar: cause\ntar: another' >&2; exit 2")
    with pytest.raises(NitroError) as caught:
        tree(Wanted(("one",)), lock=lock)
    assert caught.value.what.endswith(".deb: tar: cause")


@pytest.mark.extended
def test_a_tree_that_is_there_is_taken_without_its_packages(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1"}),))
    first = tree(Wanted(("one",)), lock=lock)
    shutil.rmtree(tmp_path / "cache/debs")
    apt_helper(tmp_path, monkeypatch, "exit 100")
    assert tree(Wanted(("one",)), lock=lock) == first


def test_the_tree_of_a_quicker_process_is_taken(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1"}),))
    root = tree(Wanted(("one",)), lock=lock).root
    rivals = root.rename(tmp_path / "rivals")
    (rivals / "mark").touch()
    # The other process is done while this one unpacks.
    program = tmp_path / "bin/dpkg-deb"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nmv {rivals} {root}\nexec {shutil.which("dpkg-deb")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert tree(Wanted(("one",)), lock=lock).path("/mark").exists()
    assert list(root.parent.iterdir()) == [root], "what this process unpacked is gone"


def test_programs_of_a_tree_without_a_loader_are_started_as_they_are(tmp_path: Path):
    for folder in ("bin", "sbin"):
        (tmp_path / "usr" / folder).mkdir(parents=True)
        (tmp_path / f"usr/{folder}/{folder}-tool").touch()
    unpacked = Tree(tmp_path, ())
    assert unpacked.program("sbin-tool") == [str(tmp_path / "usr/sbin/sbin-tool")]
    with pytest.raises(NitroError, match="no program absent in the Debian packages"):
        unpacked.program("absent")


def test_links_that_lead_in_a_circle_lead_nowhere(tmp_path: Path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(NitroError, match="no /a in"):
        Tree(tmp_path, ()).path("/a")


@pytest.mark.slow
def test_a_program_from_debian_runs_from_its_tree(tmp_path: Path):
    hello = tree(Wanted(("hello",)), lock=Lock(tmp_path / "lock")).program("hello")
    said = subprocess.run(hello, capture_output=True, text=True, check=True).stdout
    assert said == "Hello, world!\n"


@pytest.mark.slow
@pytest.mark.parametrize("closure", [True, False])
def test_a_package_that_debian_does_not_have_is_named(tmp_path: Path, closure: bool):
    wanted = Wanted(("no-such-package-anywhere",), closure=closure)
    with pytest.raises(InputError, match="trixie has no package no-such-package-anywhere"):
        tree(wanted, lock=Lock(tmp_path / "lock"))


def test_suite_that_the_mirror_does_not_have(
    pool: Path, lock: Lock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(apt, "archives", lambda: {"debian": f"file:{pool}"})
    with pytest.raises(InputError, match="has no suite 'nosuch'"):
        tree(Wanted(("one",), "nosuch"), lock=lock)


@pytest.mark.parametrize("links", [15, 16])
def test_a_chain_of_sixteen_links_is_followed(tmp_path: Path, links: int):
    """Fewer than the kernel's 40, and more than any package has."""
    (tmp_path / "link0").write_text("content")
    for number in range(1, links + 1):
        (tmp_path / f"link{number}").symlink_to(f"link{number - 1}")
    assert Tree(tmp_path, ()).path(f"/link{links}").read_text() == "content"


@pytest.mark.extended
def test_a_folder_that_older_packages_have_at_the_top_is_that_of_usr(
    make_package: MakePackage, lock: Lock
):
    """bin, sbin, lib and lib64: a package that ships any of them must not replace the link."""
    files = {f"{folder}/{folder}-file": folder for folder in ("bin", "sbin", "lib", "lib64")}
    lock.put(Wanted(("old",)), (make_package("old", files),))
    root = tree(Wanted(("old",)), lock=lock).root
    for folder in ("bin", "sbin", "lib", "lib64"):
        assert (root / folder).readlink() == Path(f"usr/{folder}")
        assert (root / "usr" / folder / f"{folder}-file").read_text() == folder


def test_what_goes_wrong_is_told_in_english(
    make_package: MakePackage, lock: Lock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Messages are looked at by their words: those of a full disk, for one."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    lock.put(Wanted(("one",)), (make_package("one", {"a": "1"}),))
    fake_tar(tmp_path, monkeypatch, 'echo "tar: $LC_ALL" >&2; exit 2')
    with pytest.raises(NitroError, match=r"\.deb: tar: C$"):
        tree(Wanted(("one",)), lock=lock)
