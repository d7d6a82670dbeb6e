"""What is kept on this machine, and for how long."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import nitro
from nitro import cache
from nitro.errors import InputError, NitroError
from nitro.stored import stored

MONTH = timedelta(days=30)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    home.mkdir()
    monkeypatch.setenv("NITRO_CACHE", str(home))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    return home


def make(home: Path, kind: str, name: str, size: int = 0) -> Path:
    path = home / kind / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\1" * size)
    return path


def later(by: timedelta) -> datetime:
    return datetime.now(UTC) + by


def names(entries: list[cache.Entry]) -> list[str]:
    return [f"{entry.kind}/{entry.path.name}" for entry in entries]


def test_entries_are_what_each_kind_holds(home: Path) -> None:
    make(home, "debs", "b.deb", 5000)
    tree = home / "trees" / "0a"
    (tree / "usr").mkdir(parents=True)
    (tree / "usr" / "big").write_bytes(b"\1" * 100_000)
    (tree / "link").symlink_to("/usr")
    (home / "digests.json").write_text("{}")
    deb, unpacked = cache.entries()
    assert names([deb, unpacked]) == ["debs/b.deb", "trees/0a"]
    assert 5000 <= deb.size_bytes < 100_000 <= unpacked.size_bytes < 200_000
    assert abs(later(timedelta()) - deb.used) < timedelta(minutes=5)


def test_what_others_have_in_its_folder_is_no_part_of_it(home: Path) -> None:
    for folder in ("photographs", "trees.old", "containers-x"):
        make(home, folder, "1.jpg")
    make(home, "containers-1", "0a")
    assert names(cache.entries()) == ["containers-1/0a"]


def test_every_kind_that_is_kept_is_known() -> None:
    root = Path(nitro.__file__).parents[1]
    named = re.compile(
        r"""(?:cache_dir\(\) / f?|\bstored\(\s*|_KIND = )"([a-z][a-z-]*[a-z])(?:-\d+|-{\w+})?\""""
    )
    found = {
        kind
        for folder in ("nitro", "lab", "tests/boot", "tests/clients")
        for path in (root / folder).rglob("*.py")
        for kind in named.findall(path.read_text())
    }
    assert len(found) > 10
    assert found == cache.KINDS


def test_what_an_archive_dates_back_is_not_old(home: Path) -> None:
    path = make(home, "trees", "0a")
    os.utime(path, (0, 0))
    assert cache.unused(cache.entries(), MONTH) == []


def test_only_what_was_not_used_for_so_long_is_unused(home: Path) -> None:
    make(home, "debs", "a.deb")
    assert cache.unused(cache.entries(), MONTH, later(MONTH - timedelta(minutes=1))) == []
    found = cache.unused(cache.entries(), MONTH, later(MONTH + timedelta(minutes=1)))
    assert names(found) == ["debs/a.deb"]


def test_what_was_used_within_an_hour_is_never_unused(home: Path) -> None:
    make(home, "debs", "a.deb")
    moment = timedelta(seconds=1)
    assert cache.unused(cache.entries(), moment, later(timedelta(minutes=59))) == []
    assert cache.unused(cache.entries(), moment, later(timedelta(minutes=61)))


def test_a_use_is_noted_but_not_each_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored("things", "key", lambda path: path.touch())
    made = path.stat().st_ctime_ns
    stored("things", "key", lambda path: path.touch())
    assert path.stat().st_ctime_ns == made
    now = path.stat().st_ctime
    monkeypatch.setattr("nitro.cache.time.time", lambda: now + 700)
    stored("things", "key", lambda path: path.touch())
    assert path.stat().st_ctime_ns > made


def test_what_is_used_for_long_is_noted_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache.touch(make(home, "trees", "0a"))
    cache.touch(home / "trees" / "gone")
    os.utime(path, (0, 0))
    made = path.stat().st_ctime
    monkeypatch.setattr("nitro.cache.time.time", lambda: made + 1200)
    cache.touch_again()
    assert path.stat().st_mtime > 0


@pytest.mark.parametrize("place", [".", "state", "deep/er"])
def test_a_state_in_the_cache_is_not_taken_for_a_part_of_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("NITRO_STATE", str(home / place))
    with pytest.raises(InputError, match="must not be removed, is in the cache"):
        cache.entries()


def test_an_age_beyond_the_calendar_is_one(home: Path) -> None:
    make(home, "debs", "a.deb")
    assert cache.unused(cache.entries(), timedelta(days=999_999)) == []


def test_touching_what_is_gone_is_no_error(home: Path) -> None:
    assert cache.touch(home / "gone") == home / "gone"


def test_folders_that_nobody_may_change_are_removed(home: Path) -> None:
    tree = home / "trees" / "0a"
    locked = tree / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    outside = make(home, "outside", "kept")
    (tree / "link").symlink_to(outside.parent)
    locked.chmod(0o500)
    for entry in cache.entries():
        if entry.kind == "trees":
            cache.remove(entry)
    assert list((home / "trees").iterdir()) == []
    assert outside.exists()


def test_what_an_interrupted_removal_left_is_removed_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(home, "trees", "0a")

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            cache.remove(cache.entries()[0])
    assert not (home / "trees" / "0a").exists()
    (left,) = cache.entries()
    assert cache.remove(left)
    assert cache.entries() == []
    assert not cache.remove(left)


def test_what_was_used_meanwhile_stays(home: Path) -> None:
    path = make(home, "trees", "0a")
    (found,) = cache.entries()
    os.utime(path)
    assert not cache.remove(found)
    assert path.exists()


def test_what_cannot_be_removed_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(home, "trees", "0a")

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(NitroError, match=f"could not remove {path}: Permission denied"):
        cache.remove(cache.entries()[0])
