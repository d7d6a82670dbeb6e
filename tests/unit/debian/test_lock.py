from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import Lock, Package, Wanted
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


@pytest.mark.parametrize("text", ["not json", '{"version": 99, "sets": {}}', "[]"])
def test_a_damaged_lock_is_named(tmp_path: Path, text: str):
    path = tmp_path / "lock"
    path.write_text(text)
    with pytest.raises(InputError, match=str(path)):
        Lock(path).get(WANTED)
