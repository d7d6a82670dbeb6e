"""Archives for the kernel: round trips; test_layers has them read by cpio itself."""

from __future__ import annotations

import io
import stat
from dataclasses import dataclass
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


@pytest.mark.extended
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


@dataclass(frozen=True)
class Member:
    """A member of any size, owner and time."""

    source: bytes | Path | None = None
    target: str | None = None
    mode: int = 0o640
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0


def header(raw: bytes) -> dict[str, int]:
    """The fields of the first header, as buffer-format.rst has them in order."""
    names = [
        *("ino", "mode", "uid", "gid", "nlink", "mtime", "filesize"),
        *("major", "minor", "rmajor", "rminor", "namesize", "check"),
    ]
    return {name: int(raw[6 + 8 * at : 14 + 8 * at], 16) for at, name in enumerate(names)}


def test_owner_and_time_are_kept() -> None:
    """Each in its place: Linux gives files the owner that a header says."""
    out = io.BytesIO()
    cpio.write(out, [("/f", Member(b"12345", uid=7, gid=8, mtime=9, size=5))])
    found = header(out.getvalue())
    assert found == found | {"uid": 7, "gid": 8, "mtime": 9, "filesize": 5, "nlink": 1}
    assert found["namesize"] == len("f") + 1
    [entry] = cpio.read(io.BytesIO(out.getvalue()))
    assert (entry.uid, entry.gid, entry.mode) == (7, 8, stat.S_IFREG | 0o640)


def test_members_are_numbered_each_its_own() -> None:
    """Linux takes two files of one number for one file with two names."""
    raw = archive({f"/{name}": Node("program", "test", source=b"") for name in "abc"})
    numbers = [header(raw[at:])["ino"] for at in range(0, 4 * 112, 112)]
    assert len(set(numbers)) == 4  # with the trailer
    assert 0 not in numbers


@pytest.mark.parametrize(("size", "what"), [((1 << 32) - 1, "changed"), (1 << 32, "/f: 4 GiB")])
def test_a_file_has_less_than_4_gib(tmp_path: Path, size: int, what: str) -> None:
    """A header has 32 bits for it. The file is in fact empty: the largest one ends early."""
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(InputError, match=what):
        cpio.write(io.BytesIO(), [("/f", Member(tmp_path / "f", size=size))])


@pytest.mark.parametrize("length", [4095, 4096])
def test_a_name_has_at_most_what_linux_unpacks(length: int) -> None:
    """4096 bytes with the zero behind it."""
    raw = archive({"/" + "n" * length: Node("program", "test", source=b"x")})
    if length == 4095:
        assert [len(entry.path) for entry in cpio.read(io.BytesIO(raw))] == [1 + length]
    else:
        with pytest.raises(ValueError, match="more than 4096 bytes"):
            list(cpio.read(io.BytesIO(raw)))


@pytest.mark.parametrize("length", [4096, 4097])
def test_a_target_has_at_most_what_linux_unpacks(length: int) -> None:
    raw = archive({"/link": Node("program", "test", target="t" * length)})
    if length == 4096:
        assert [entry.size for entry in cpio.read(io.BytesIO(raw))] == [length]
    else:
        with pytest.raises(ValueError, match="more than 4096 bytes"):
            list(cpio.read(io.BytesIO(raw)))


def test_a_folder_has_two_names_and_the_root_is_a_dot() -> None:
    raw = archive({"/": Node("program", "test")})
    assert header(raw)["nlink"] == 2
    assert raw[110:112] == b".\0"
    assert [entry.path for entry in cpio.read(io.BytesIO(raw))] == ["/"]


def test_a_large_file_is_read_past(tmp_path: Path) -> None:
    """In several pieces, and to its last byte: what follows is found."""
    path = tmp_path / "large"
    path.write_bytes(b"x" * ((2 << 20) + 3))
    raw = archive({"/a": Node("program", "test", source=path), "/b": Node("program", "test")})
    assert [entry.path for entry in cpio.read(io.BytesIO(raw))] == ["/a", "/b"]
    with pytest.raises(ValueError, match="ends in the middle of a file"):
        list(cpio.read(io.BytesIO(raw[: 2 << 20])))
