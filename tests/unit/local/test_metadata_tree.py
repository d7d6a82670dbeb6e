"""The tree behind the metadata service. What a guest sees of it: test_imds.py."""

from __future__ import annotations

from nitro.local.metadata_tree import VERSIONS, Keys, find, tree

from .test_hypervisor import GUEST


def test_every_version_has_the_same_tree() -> None:
    found = tree(GUEST)
    assert list(found) == list(VERSIONS)
    assert all(each is found["latest"] for each in found.values())


def test_keys_are_listed_by_number_and_name() -> None:
    keys = Keys([("a", "ssh-rsa A"), ("b", "ssh-rsa B")])
    assert find(keys, []) == b"0=a\n1=b"
    assert find(keys, ["1", "openssh-key"]) == b"ssh-rsa B"


def test_what_is_not_there_is_neither_found_nor_listed() -> None:
    folder = {"there": "x", "absent": None, "deeper": {"leaf": b"y"}}
    assert find(folder, []) == b"there\ndeeper/"
    for path in (["absent"], ["there", "more"], ["none"], ["absent", "more"]):
        assert find(folder, path) is None
