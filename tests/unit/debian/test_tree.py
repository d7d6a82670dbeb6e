from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nitro.arch import X86_64
from nitro.debian import Lock, Wanted, apt, tree
from nitro.errors import InputError, NitroError
from nitro.progress import Reporter

from .conftest import MakePackage


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "debian.lock")


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
