"""Another RAMFS in a finished kernel: what the kernel would find, and what is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.osv import ramfs
from nitro.image.osv.layout import Layout, read_table
from nitro.image.osv.segment import LINKED_ABOVE_PHYSICAL, Segment
from nitro.image.rootfs import Node
from tests.unit.image.osv.kernel import (
    BASE,
    BSS,
    CHECK_AT,
    CONTENTS_AT,
    INSTRUCTION,
    NAMES_AT,
    TABLE,
    build,
)

KERNEL = Segment.parse(build([(0, b"/big", bytes(20_000))]))
LAYOUT = Layout.find(KERNEL)
ROOM = LAYOUT.table + LAYOUT.room

NAMES = st.from_regex(r"/[a-z]{1,30}", fullmatch=True)
SOURCES = st.one_of(st.binary(max_size=6000), st.sampled_from(["/usr/lib/x", "y"]), st.none())


def file(content: bytes) -> Node:
    return Node("program", "test", source=content)


def node(source: bytes | str | None) -> Node:
    if isinstance(source, str):
        return Node("program", "test", target=source)
    return Node("program", "test", source=source)


def written(nodes: dict[str, Node]) -> bytes:
    return composed(KERNEL, LAYOUT, nodes)


def composed(segment: Segment, layout: Layout, nodes: dict[str, Node]) -> bytes:
    made = ramfs.compose(segment, layout, nodes)
    content = b"".join(made.chunks())
    assert made.size == len(content)
    return content


def read(kernel: bytes) -> dict[str, bytes | str | None]:
    """As the kernel's code reads it: from the addresses in its instructions."""
    segment = Segment.parse(kernel)
    [contents] = struct.unpack_from("<I", kernel, CONTENTS_AT + 3)
    [name] = struct.unpack_from("<I", kernel, NAMES_AT + 2)
    [relative] = struct.unpack_from("<i", kernel, CHECK_AT + 2)
    assert name == BASE + CHECK_AT + 7 + relative == contents + 17
    nodes = ramfs.read(segment, read_table(segment.data, contents - BASE))
    return {path: one.target or one.source for path, one in nodes.items()}  # type: ignore[misc]


def immediate(kernel: bytes) -> int:
    return int(struct.unpack_from("<I", kernel, INSTRUCTION + 6)[0])


@pytest.mark.extended
@given(st.dictionaries(NAMES, SOURCES, max_size=20))
def test_what_is_put_in_is_there(sources: dict[str, bytes | str | None]) -> None:
    kernel = written({path: node(source) for path, source in sources.items()})
    assert read(kernel) == sources


def test_what_fits_takes_the_old_place() -> None:
    kernel = written({"/a": file(b"a" * 5000), "/b": file(b"b")})
    assert len(kernel) == len(KERNEL.data)
    assert immediate(kernel) == LAYOUT.end
    assert all(entry.place + entry.size <= ROOM for entry in read_table(kernel, TABLE))
    assert kernel[:INSTRUCTION] == KERNEL.without_sections()[:INSTRUCTION]


def test_the_old_contents_are_gone() -> None:
    first = Segment.parse(build([(0, b"/secret", b"secret" * 3000)]))
    assert b"secret" not in composed(first, Layout.find(first), {})


def test_what_does_not_fit_lies_in_whole_pages_behind_the_kernel() -> None:
    kernel = written({"/a": file(b"a" * 50_000), "/b": file(b"b")})
    a, b = read_table(kernel, TABLE)
    assert a.place % 4096 == b.place % 4096 == 0
    assert BASE + a.place >= LAYOUT.end
    assert (
        kernel[a.place : a.place + a.size] + kernel[b.place : b.place + b.size]
        == b"a" * 50_000 + b"b"
    )


def test_a_grown_kernel_knows_its_new_end_and_clears_only_its_own_memory() -> None:
    kernel = written({"/a": file(b"a" * 50_000)})
    assert immediate(kernel) == BASE + len(kernel)
    assert struct.unpack_from("<I", kernel, INSTRUCTION + 20)[0] == LAYOUT.end
    assert struct.unpack_from("<QQ", kernel, 120 + 32) == (len(kernel), len(kernel))
    assert kernel[len(KERNEL.data) : len(KERNEL.data) + BSS] == bytes(BSS)


def test_only_empty_folders_are_named() -> None:
    folder = Node("program", "test")
    kernel = written({"/": folder, "/a": folder, "/a/b": file(b"b"), "/tmp": folder})
    assert [entry.name for entry in read_table(kernel, TABLE)] == ["/a/b", "/tmp/"]


def test_files_of_this_machine_are_copied(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read(written({"/a": Node("program", "test", source=path)})) == {"/a": b"content"}


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_file_that_changes_meanwhile(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    composed = ramfs.compose(KERNEL, LAYOUT, {"/a": Node("program", "test", source=path)})
    path.write_bytes(bytes(size - 1))
    with pytest.raises(InputError, match=r"file changed while it was read") as refused:
        list(composed.chunks())
    assert refused.value.hint == "build again"


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ({"relative": file(b"")}, "not an absolute path"),
        ({"/nul\0": file(b"")}, "not an absolute path"),
    ],
)
def test_what_is_no_path(nodes: dict[str, Node], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        written(nodes)


MANY: dict[str, bytes | str | None] = {f"/{number:03}": b"%d" % number for number in range(200)}


@pytest.mark.parametrize("count", [LAYOUT.in_place, LAYOUT.in_place + 1, 200])
def test_a_table_that_does_not_fit_goes_behind_the_kernel(count: int) -> None:
    sources = dict(list(MANY.items())[:count])
    nodes = {path: node(source) for path, source in sources.items()}
    made = ramfs.compose(KERNEL, LAYOUT, nodes)
    assert (made.table != TABLE) == (count > LAYOUT.in_place)
    kernel = written(nodes)
    assert read(kernel) == sources
    if made.table != TABLE:
        assert BASE + made.table >= LAYOUT.end
        assert kernel[TABLE : TABLE + LAYOUT.room] == bytes(LAYOUT.room)
    end = Segment.parse(kernel).end - LINKED_ABOVE_PHYSICAL
    assert ramfs.memory_end(LAYOUT, KERNEL, nodes) >= end


def test_a_table_that_nobody_can_move_has_its_old_room() -> None:
    fixed = replace(LAYOUT, operands=())
    nodes = {path: node(source) for path, source in MANY.items()}
    with pytest.raises(InputError, match="200 files, and this kernel's RAMFS has room for 157"):
        ramfs.compose(KERNEL, fixed, nodes)


def test_more_than_the_mapped_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 30)
    with pytest.raises(InputError, match="first GiB"):
        ramfs.compose(KERNEL, LAYOUT, {"/large": Node("program", "test", source=path)})


def test_the_longest_name() -> None:
    name = "/" + "x" * 109
    assert read(written({name: file(b"x")})) == {name: b"x"}
    with pytest.raises(InputError, match="longer than the 110 bytes"):
        written({name + "x": file(b"x")})


@pytest.mark.parametrize("more", [0, 1])
def test_the_old_place_is_used_to_its_last_byte(more: int) -> None:
    """A kernel that need not grow takes less memory, and boots with fewer changes."""
    start = LAYOUT.table + 2 * 128
    room = LAYOUT.room - (start + -start % 4096 - LAYOUT.table)
    nodes = {"/a": file(b"x" * (room + more))}
    assert ramfs.fits(LAYOUT, nodes) == (more == 0)
    kernel = written(nodes)
    assert (immediate(kernel) == LAYOUT.end) == (more == 0)
    assert read(kernel) == {"/a": b"x" * (room + more)}


def test_the_memory_that_files_take_is_not_underrated() -> None:
    """A guest with less than that dies while it unpacks nothing: at boot, without a word."""
    empty = ramfs.memory_end(LAYOUT, KERNEL, {})
    assert empty >= LAYOUT.end - LINKED_ABOVE_PHYSICAL
    nodes = {f"/{name}": file(b"x" * 5000) for name in "abc"}
    assert ramfs.memory_end(LAYOUT, KERNEL, nodes) >= empty + 3 * 5000
    kernel = written(nodes)
    end = Segment.parse(kernel).end - LINKED_ABOVE_PHYSICAL
    assert ramfs.memory_end(LAYOUT, KERNEL, nodes) >= end
