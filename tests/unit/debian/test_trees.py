"""Several sets of packages at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from nitro import cache
from nitro.debian import Lock, Package, Wanted, apt, fetch, resolve, scripts, trees
from nitro.errors import NitroError
from nitro.progress import Reporter
from tests.unit.cache_uses import used_kinds

from .conftest import MakePackage

ONE, TWO = Wanted(("one",)), Wanted(("two", "shared"))


Answers = dict[Wanted, tuple[Package, ...]]


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "debian.lock")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What Debian has now for each set."""
    known: Answers = {}
    monkeypatch.setattr(
        apt.AptRoot, "open", lambda suite, arch: apt.AptRoot(suite, arch, Path("unused"))
    )
    monkeypatch.setattr(apt.AptRoot, "resolve", lambda self, wanted: known[wanted])
    return known


@pytest.mark.extended
def test_all_sets_are_fetched_in_one_stage_and_found_again(
    make_package: MakePackage,
    lock: Lock,
    pool: Path,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = make_package("shared", {"usr/lib/shared": "s"})
    answers[ONE] = (make_package("one", {"usr/bin/one": "1"}), shared)
    answers[TWO] = (shared, make_package("two", {"usr/bin/two": "2"}))
    batches: list[Sequence[Package]] = []
    download = fetch._download

    def counted(folder: Path, batch: Sequence[Package]) -> None:
        batches.append(batch)
        download(folder, batch)

    monkeypatch.setattr(fetch, "_download", counted)
    report = Reporter()
    found = trees([ONE, TWO, ONE], lock=lock, report=report)
    assert found[ONE].path("/usr/bin/one").read_text() == "1"
    assert found[TWO].path("/usr/lib/shared").read_text() == "s"
    assert [span.stage for span in report.timeline] == ["Debian packages"]
    downloaded = [package.name for batch in batches for package in batch]
    assert sorted(downloaded) == ["one", "shared", "two"]

    shutil.rmtree(pool)
    answers.clear()
    report = Reporter()
    assert trees([ONE, TWO], lock=replace(lock, frozen=True), report=report) == found
    assert report.timeline == []
    again = partial(trees, [ONE], lock=lock)
    assert used_kinds(again, monkeypatch) == {"trees"}


@pytest.mark.extended
def test_a_tree_stays_that_was_found_before_others_were_unpacked(
    make_package: MakePackage,
    lock: Lock,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody removes, meanwhile, what has not been used since the call began."""
    shared = make_package("shared", {"usr/lib/shared": "s"})
    answers[ONE] = (make_package("one", {"usr/bin/one": "1"}), shared)
    answers[TWO] = (shared, make_package("two", {"usr/bin/two": "2"}))
    trees([ONE], lock=lock)
    time.sleep(0.02)  # more than the kernel's clock needs for a step
    began, postinst = time.time(), scripts.postinst
    monkeypatch.setattr("nitro.cache.time.time", lambda: began + 7200)

    def disturbed(deb: Path) -> str:
        for entry in cache.entries():
            if entry.used.timestamp() < began and entry.kind in ("trees", "debs"):
                cache.remove(entry)
        return postinst(deb)

    monkeypatch.setattr(scripts, "postinst", disturbed)
    found = trees([ONE, TWO], lock=lock)
    assert found[ONE].path("/usr/bin/one").read_text() == "1"
    assert found[TWO].path("/usr/lib/shared").read_text() == "s"


def test_only_the_set_with_a_dropped_version_is_resolved_anew(
    make_package: MakePackage, lock: Lock, answers: Answers
) -> None:
    gone = replace(make_package("one", {"a": "1"}), archive="debian-security", sha256="0" * 64)
    lock.put(ONE, (gone,))
    lock.put(TWO, (make_package("two", {"usr/bin/two": "2"}),))
    answers[ONE] = (make_package("one", {"a": "2"}, "2.0"),)
    found = trees([ONE, TWO], lock=lock)
    assert found[ONE].path("/a").read_text() == "2"
    assert lock.get(ONE) == answers[ONE]


def test_a_version_that_is_dropped_for_good_is_an_error(
    make_package: MakePackage, lock: Lock, answers: Answers
) -> None:
    gone = replace(make_package("one", {"a": "1"}), archive="debian-security", sha256="0" * 64)
    answers[ONE] = (gone,)
    with pytest.raises(NitroError, match="comes from debian-security"):
        trees([ONE], lock=lock)


def test_resolving_pins_and_downloads_nothing(
    make_package: MakePackage,
    lock: Lock,
    answers: Answers,
    tmp_path: Path,
) -> None:
    answers[ONE] = (make_package("one", {"a": "1"}),)
    assert resolve([ONE], lock=lock, report=Reporter()) == answers
    assert lock.get(ONE) == answers[ONE]
    assert not list((tmp_path / "cache").glob("debs/*"))
