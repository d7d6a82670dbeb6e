"""Another RAMFS in a finished kernel: what the kernel would find, and what is refused."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.ramfs import Layout, Node, read, replace
from tests.unit.image.osv.kernel import BASE, BSS, INSTRUCTION, TABLE, build

KERNEL, LAYOUT = build(
    [(0, b"/libenv.so", b"env" * 3000), (0, b"/dev/", b""), (1, b"/bin", b"usr/bin\0")]
)

PATHS = st.from_regex(r"/[a-z]{1,30}(/[a-z]{1,30})?", fullmatch=True)
NODES = st.one_of(
    st.binary(max_size=6000).map(Node),
    st.from_regex(r"[a-z/.]{1,40}", fullmatch=True).map(lambda target: Node(target=target)),
    st.just(Node()),
)


def immediate(kernel: bytes) -> int:
    return int(struct.unpack_from("<I", kernel, INSTRUCTION + 6)[0])


def moved(kernel: bytes) -> Layout:
    return Layout(LAYOUT.table, immediate(kernel))


def test_files_links_and_directories_are_read() -> None:
    assert read(KERNEL, LAYOUT) == {
        "/libenv.so": Node(b"env" * 3000),
        "/dev": Node(),
        "/bin": Node(target="usr/bin"),
    }


@given(st.dictionaries(PATHS, NODES, max_size=20))
def test_what_is_put_in_is_there(nodes: dict[str, Node]) -> None:
    kernel = replace(KERNEL, LAYOUT, nodes)
    assert read(kernel, moved(kernel)) == nodes


def test_contents_lie_in_whole_pages_behind_the_kernel() -> None:
    kernel = replace(KERNEL, LAYOUT, {"/a": Node(b"a" * 5000), "/b": Node(b"b")})
    places = []
    for number in range(2):
        size, offset = struct.unpack_from("<QQ", kernel, TABLE + 128 * number)
        places.append((TABLE + offset, size))
    assert all(place % 4096 == 0 and BASE + place >= LAYOUT.end for place, _ in places)
    assert [kernel[place : place + size] for place, size in places] == [b"a" * 5000, b"b"]


def test_the_kernel_learns_of_its_new_end_and_clears_only_its_own_memory() -> None:
    kernel = replace(KERNEL, LAYOUT, {"/a": Node(b"a")})
    assert immediate(kernel) == BASE + len(kernel)
    cleared = struct.unpack_from("<I", kernel, INSTRUCTION + 20)[0]
    assert cleared == LAYOUT.end
    stored, loaded = struct.unpack_from("<QQ", kernel, 120 + 32)
    assert stored == loaded == len(kernel)
    assert kernel[len(KERNEL) : len(KERNEL) + BSS] == bytes(BSS)
    assert struct.unpack_from("<Q", kernel, 40) == (0,)


def test_a_replaced_ramfs_can_be_replaced_again() -> None:
    first = replace(KERNEL, LAYOUT, {"/a": Node(b"a" * 9000), "/b": Node(b"b")})
    second = replace(first, moved(first), {"/c": Node(b"c")})
    assert read(second, moved(second)) == {"/c": Node(b"c")}


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ({f"/{number}": Node(b"") for number in range(200)}, "no room for 200 names"),
        ({"/" + "x" * 110: Node(b"")}, "longer than 110 bytes"),
        ({"relative": Node(b"")}, "not an absolute path"),
        ({"/nul\0": Node(b"")}, "not an absolute path"),
    ],
)
def test_files_that_do_not_fit(nodes: dict[str, Node], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        replace(KERNEL, LAYOUT, nodes)


@pytest.mark.parametrize(
    ("layout", "what"),
    [
        (Layout(LAYOUT.table, LAYOUT.end + 8), "0 instructions store the end"),
        (Layout(LAYOUT.table, BASE + 8), "before its own bytes"),
        (Layout(LAYOUT.table, 1 << 40), "first GiB"),
        (Layout(1 << 40, LAYOUT.end), "outside the file"),
        (Layout(LAYOUT.table + 8, LAYOUT.end), "no RAMFS"),
    ],
)
def test_wrong_addresses(layout: Layout, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        replace(KERNEL, layout, {"/a": Node(b"a")})


def test_an_end_that_is_stored_twice_is_ambiguous() -> None:
    kernel = bytearray(KERNEL)
    kernel[0x900:0x90A] = kernel[INSTRUCTION : INSTRUCTION + 10]
    with pytest.raises(ValueError, match="2 instructions"):
        replace(bytes(kernel), LAYOUT, {})


@given(st.integers(0, len(KERNEL)))
def test_a_truncated_kernel_is_refused(length: int) -> None:
    if length < len(KERNEL):
        with pytest.raises(ValueError, match=r"."):
            replace(KERNEL[:length], LAYOUT, {"/a": Node(b"a")})


@given(st.lists(st.tuples(st.integers(0, len(KERNEL) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_kernel_is_replaced_or_refused(damage: list[tuple[int, int]]) -> None:
    kernel = bytearray(KERNEL)
    for place, value in damage:
        kernel[place] = value
    with suppress(ValueError):
        assert replace(bytes(kernel), LAYOUT, {"/a": Node(b"a")}).startswith(b"\x7fELF")
