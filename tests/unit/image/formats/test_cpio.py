"""Archives for the kernel: round trips; test_layers has them read by cpio itself."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.formats import cpio
from nitro.image.rootfs import Node

PATHS = st.from_regex(r"(/[.]?[a-z0-9ü-]{1,20}){1,3}", fullmatch=True)
NODES = st.one_of(
    st.builds(Node, st.just("program"), st.just("test")),
    st.builds(
        Node,
        st.just("program"),
        st.just("test"),
        source=st.binary(max_size=200),
        executable=st.booleans(),
    ),
    st.builds(Node, st.just("program"), st.just("test"), target=st.text("abc/.", min_size=1)),
)


def archive(nodes: dict[str, Node]) -> bytes:
    out = io.BytesIO()
    cpio.write(out, sorted(nodes.items()))
    return out.getvalue()


def entry(path: str, node: Node) -> cpio.Entry:
    if node.target is not None:
        return cpio.Entry(path, stat.S_IFLNK | 0o777, len(node.target), node.target)
    if node.source is None:
        return cpio.Entry(path, stat.S_IFDIR | 0o755, 0)
    return cpio.Entry(path, stat.S_IFREG | (0o755 if node.executable else 0o644), node.size)


@given(st.dictionaries(PATHS, NODES, max_size=8))
def test_round_trip(nodes: dict[str, Node]) -> None:
    raw = archive(nodes)
    assert len(raw) % 4 == 0
    assert list(cpio.read(io.BytesIO(raw))) == [entry(*item) for item in sorted(nodes.items())]


def test_archives_on_end_are_read_as_one() -> None:
    node = Node("program", "test", source=b"12345")
    raw = archive({"/a": node}) + bytes(8) + archive({"/b": node})
    assert [found.path for found in cpio.read(io.BytesIO(raw))] == ["/a", "/b"]


def test_content_lies_behind_its_name() -> None:
    raw = archive({"/file": Node("program", "test", source=b"the content")})
    assert raw.index(b"the content") % 4 == 0
    assert raw.index(b"file\0") < raw.index(b"the content")


def test_file_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"short")
    monkeypatch.setattr(Node, "size", property(lambda _: 100))
    with pytest.raises(InputError, match="changed while it was read"):
        archive({"/log": Node("program", "test", source=path)})


@given(st.binary(min_size=4, max_size=300).filter(lambda d: d[:4].strip(b"\0")))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cpio"):
        list(cpio.read(io.BytesIO(data)))


@given(cut=st.integers(1, 170))
def test_archive_that_ends_early_is_refused(cut: int) -> None:
    raw = archive({"/file": Node("program", "test", source=b"x" * 50)})
    first = raw[: 110 + 6 + 52]
    with pytest.raises(ValueError, match="cpio"):
        list(cpio.read(io.BytesIO(first[: len(first) - min(cut, len(first) - 1)])))
