from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.debian import Lock, Package, Wanted, default_lock
from nitro.errors import InputError

WANTED = Wanted(("iperf3",))


def package(version: str) -> Package:
    return Package(
        "iperf3", version, "amd64", "debian", f"pool/iperf3_{version}.deb", 1, version * 8
    )


def test_a_set_is_named_by_suite_kind_and_sorted_names():
    assert Wanted(("b", "a", "b")).key == "trixie closure: a b"
    assert Wanted(("a",), suite="bookworm", closure=False).key == "bookworm only: a"


def test_what_was_put_is_got_by_another_reader(tmp_path: Path):
    Lock(tmp_path / "lock").put(WANTED, (package("1"),))
    assert Lock(tmp_path / "lock").get(WANTED) == (package("1"),)
    assert Lock(tmp_path / "lock").get(Wanted(("other",))) is None


def test_an_empty_lock_answers_with_its_base(tmp_path: Path):
    base = Lock(tmp_path / "base")
    base.put(WANTED, (package("1"),))
    assert Lock(tmp_path / "own", base).get(WANTED) == (package("1"),)


def test_an_own_entry_wins_until_the_base_moves_on(tmp_path: Path):
    base = Lock(tmp_path / "base")
    base.put(WANTED, (package("1"),))
    own = Lock(tmp_path / "own", base)
    own.put(WANTED, (package("2"),))
    assert own.get(WANTED) == (package("2"),)
    base.put(WANTED, (package("3"),))
    assert own.get(WANTED) == (package("3"),)


def test_pinning_leaves_neighbouring_files_alone(tmp_path: Path):
    neighbour = tmp_path / "redis.new"
    neighbour.write_text("mine")
    Lock(tmp_path / "redis.lock").put(WANTED, (package("1"),))
    assert neighbour.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["redis.lock", "redis.new"]


def test_the_users_lock_lies_upon_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NITRO_STATE", str(tmp_path))
    lock = default_lock(frozen=True)
    assert lock.path == tmp_path / "debian.lock"
    assert lock.base is not None
    assert lock.base.path.is_file()
    assert lock.frozen


ENTRY = {"supersedes": None, "packages": [package("1").to_json()]}


def lock_with(path: Path, entry: object) -> Lock:
    path.write_text(json.dumps({"version": 1, "sets": {WANTED.key: entry}}))
    return Lock(path)


@pytest.mark.parametrize(
    "text", ["not json", '{"version": 99, "sets": {}}', "[]", '{"version": 1}', "[" * 100_000]
)
def test_a_damaged_lock_is_named(tmp_path: Path, text: str):
    path = tmp_path / "lock"
    path.write_text(text)
    with pytest.raises(InputError, match=str(path)):
        Lock(path).get(WANTED)


def test_a_lock_that_is_no_text_is_named(tmp_path: Path):
    path = tmp_path / "lock"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=str(path)):
        Lock(path).get(WANTED)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ([], "list indices"),
        ({"supersedes": None}, "no 'packages'"),
        ({"packages": []}, "no 'supersedes'"),
        (ENTRY | {"packages": [{"name": "iperf3"}]}, "a package has the keys name, version"),
        (ENTRY | {"packages": [package("1").to_json() | {"size": "1"}]}, "'1' is not the size"),
        (ENTRY | {"packages": [package("1").to_json() | {"path": None}]}, "None is not the path"),
    ],
)
def test_a_damaged_set_is_named(tmp_path: Path, entry: object, what: str):
    with pytest.raises(InputError, match=f"{WANTED.key}: damaged: {what}"):
        lock_with(tmp_path / "lock", entry).get(WANTED)


FIELDS = package("1").to_json()
values: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just([]) | st.just({})
)


@pytest.mark.extended
@given(values | st.dictionaries(st.sampled_from(sorted(FIELDS)), values).map(FIELDS.__or__))
def test_a_package_is_what_was_written_or_a_mistake(document: object):
    try:
        found = Package.from_json(document)
    except ValueError:
        return
    assert found.to_json() == document
    assert type(found.size) is int


def test_a_lock_is_pinned_where_no_folder_is_yet(tmp_path: Path):
    path = tmp_path / "a" / "b" / "debian.lock"
    Lock(path).put(WANTED, (package("1"),))
    Lock(path).put(Wanted(("other",)), (package("2"),))
    assert Lock(path).get(WANTED) == (package("1"),)
    assert [file.name for file in path.parent.iterdir()] == ["debian.lock"]
