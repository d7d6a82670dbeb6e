"""Layers upon layers: what is added, replaced and hidden (OCI image specification, layer.md)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.container.tree import Entry, Tree

FOLDER = Entry("folder", 0o755)


def file(content: int) -> Entry:
    return Entry("file", 0o644, content=content)


def link(target: str) -> Entry:
    return Entry("link", 0o777, target=target)


def built(*layers: dict[str, Entry]) -> dict[str, Entry]:
    tree = Tree()
    for number, layer in enumerate(layers):
        for path, entry in layer.items():
            tree.put(path, entry, number)
    return {path: entry for path, entry in tree.entries() if path != "/"}


def test_a_file_replaces_a_file_and_a_folder() -> None:
    found = built({"a": file(1), "b/c": file(2)}, {"a": file(3), "b": file(4)})
    assert found == {"/a": file(3), "/b": file(4)}


def test_a_folder_keeps_what_is_in_it_and_takes_another_owner() -> None:
    found = built({"b/c": file(1)}, {"b": Entry("folder", 0o700, 5)})
    assert found == {"/b": Entry("folder", 0o700, 5), "/b/c": file(1)}


def test_a_whiteout_hides_what_is_below_and_not_what_its_own_layer_adds() -> None:
    lower = {"a/x": file(1), "a/y": file(2), "b": file(3)}
    for upper in (
        {".wh.a": file(0), "a/new": file(4)},
        {"a/new": file(4), ".wh.a": file(0)},
    ):
        assert set(built(lower, upper)) == {"/a", "/a/new", "/b"}
    assert set(built(lower, {"a/.wh.x": file(0), ".wh.none": file(0)})) == {"/a", "/a/y", "/b"}


def test_an_opaque_folder_hides_all_that_is_below() -> None:
    lower = {"a/x": file(1), "a/deep/er": file(2)}
    for upper in (
        {"a/.wh..wh..opq": file(0), "a/deep/new": file(3)},
        {"a/deep/new": file(3), "a/.wh..wh..opq": file(0)},
    ):
        assert set(built(lower, upper)) == {"/a", "/a/deep", "/a/deep/new"}


def test_names_lead_through_links_and_never_outside() -> None:
    found = built({"bin": link("usr/bin"), "usr/bin": FOLDER}, {"bin/sh": file(1)})
    assert found["/usr/bin/sh"] == file(1)
    assert "/etc/x" in built({"out": link("../../etc"), "out/x": file(1)})
    assert "/etc/x" in built({"../../etc/x": file(1)})
    assert "/y/x" in built({"out": link("/y"), "out/x": file(1)})


def test_hard_links_share_a_file_and_outlive_it() -> None:
    tree = Tree()
    tree.put("a", file(1), 0)
    tree.link("b", "a", 0)
    tree.put(".wh.a", file(0), 1)
    assert dict(tree.entries()) == {"/": FOLDER, "/b": file(1)}
    for target in ("none", "a", "", "x/y"):
        with pytest.raises(ValueError, match="hard link"):
            tree.link("c", target, 1)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        ({"a": file(1), "a/b": file(2)}, "is no folder"),
        ({"a": link("b"), "b": link("a"), "a/c": file(1)}, "circle"),
        ({"/".join("a" * 500): file(1)}, "too deep"),
        ({"a" * 5000: file(1)}, "no file can have"),
        ({"a\0b": file(1)}, "no file can have"),
    ],
)
def test_what_no_layer_may_hold(layer: dict[str, Entry], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        built(layer)


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".wh.a", ".wh..wh..opq", "."]), max_size=4)
ENTRIES = st.one_of(
    st.just(FOLDER),
    st.builds(file, st.integers(0, 9)),
    st.builds(link, NAMES.map("/".join)),
    st.builds(link, NAMES.map(lambda parts: "/" + "/".join(parts))),
)


@given(st.lists(st.tuples(NAMES.map("/".join), ENTRIES, st.integers(0, 3)), max_size=20))
def test_any_names_make_a_tree_of_folders(entries: list[tuple[str, Entry, int]]) -> None:
    tree = Tree()
    for path, entry, layer in sorted(entries, key=lambda item: item[2]):
        try:
            tree.put(path, entry, layer)
        except ValueError:
            continue
    found = dict(tree.entries())
    for path in found:
        parent = path.rsplit("/", 1)[0] or "/"
        assert found[parent].kind == "folder"
        assert ".." not in path
        assert ".wh." not in path
