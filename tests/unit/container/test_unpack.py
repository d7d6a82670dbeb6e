"""Layers that somebody else packed, and what becomes of them here."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.container_images import PACK, digest, layer, member
from nitro.budget import Budget
from nitro.container import unpack
from nitro.container.source import Layer
from nitro.container.tree import Entry
from nitro.errors import InputError
from nitro.progress import Stage

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def packed(raw: bytes, pack: str = "tar", diff_id: str = "", told: str = "") -> Layer:
    stored = PACK[pack](raw)
    return Layer(
        "layer", lambda: io.BytesIO(stored), diff_id or digest(raw), told or digest(stored)
    )


def unpacked(folder: Path, *layers: Layer, budget: Budget | None = None) -> dict[str, Entry]:
    folder.mkdir()
    unpack.unpack(layers, folder, Stage(), budget)
    return unpack.read(folder)[0]


@pytest.mark.parametrize("pack", PACK)
def test_every_compression(tmp_path: Path, pack: str) -> None:
    raw = layer(files={"etc": None, "etc/x": b"content" * 1000, "y": "etc/x"})
    found = unpacked(tmp_path / "out", packed(raw, pack))
    assert [(path, entry.kind) for path, entry in found.items()] == [
        ("/", "folder"),
        ("/etc", "folder"),
        ("/etc/x", "file"),
        ("/y", "link"),
    ]
    root = tmp_path / "out" / unpack.ROOT
    assert (root / "etc/x").read_bytes() == b"content" * 1000
    assert str((root / "y").readlink()) == "etc/x"


def test_owners_modes_and_capabilities_are_kept_without_root(tmp_path: Path) -> None:
    info = member("ping", b"x", mode=0o4711, uid=7, gid=70000)
    value = CAPABILITY.decode("utf-8", "surrogateescape")
    info.pax_headers = {"SCHILY.xattr.security.capability": value}
    hidden = member("secret", None, mode=0o000, uid=5)
    found = unpacked(tmp_path / "out", packed(layer((info, b"x"), (hidden, b""))))
    ping, secret = found["/ping"], found["/secret"]
    assert (ping.mode, ping.uid, ping.gid, ping.capability) == (0o4711, 7, 70000, CAPABILITY)
    assert (secret.mode, secret.uid) == (0, 5)
    assert (tmp_path / "out" / unpack.ROOT / "ping").stat().st_mode & 0o7777 == 0o755


def test_hard_links_and_names_that_are_no_utf8(tmp_path: Path) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    hard = member("second", b"", type=tarfile.LNKTYPE, linkname=name)
    found = unpacked(tmp_path / "out", packed(layer((member(name, b"x"), b"x"), (hard, b""))))
    assert set(found) == {"/", f"/{name}", "/second"}
    assert (tmp_path / "out" / unpack.ROOT / "second").read_bytes() == b"x"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    raw = layer(files={"out": str(tmp_path / "victim"), "out/file": b"evil"})
    unpacked(tmp_path / "out", packed(raw))
    assert not list((tmp_path / "victim").iterdir())


def test_devices_are_counted(tmp_path: Path) -> None:
    device = member("null", b"", type=tarfile.CHRTYPE)
    (tmp_path / "out").mkdir()
    unpack.unpack([packed(layer((device, b"")))], tmp_path / "out", Stage())
    assert unpack.read(tmp_path / "out")[1] == 1


@pytest.mark.parametrize("pack", PACK)
def test_a_digest_that_is_another(tmp_path: Path, pack: str) -> None:
    raw = layer(files={"x": b"1"})
    with pytest.raises(InputError, match="does not have the digest"):
        unpacked(tmp_path / "one", packed(raw, pack, diff_id=digest(b"")))
    with pytest.raises(InputError, match="another digest"):
        unpacked(tmp_path / "two", packed(raw, pack, told=digest(b"")))


def test_more_than_the_budget(tmp_path: Path) -> None:
    raw = layer(files={"x": bytes(1 << 20)})
    with pytest.raises(InputError, match="more than 100000 bytes"):
        unpacked(tmp_path / "out", packed(raw, "gzip"), budget=Budget(100_000, 60))


def test_a_header_that_wants_all_memory(tmp_path: Path) -> None:
    info = member("x", b"")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(InputError, match="a header of"):
        unpacked(tmp_path / "out", packed(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)))


RAW = layer(
    (member("h", b"", type=tarfile.LNKTYPE, linkname="a/b"), b""),
    files={"a": None, "a/b": b"content", "c": "a", "a/.wh.b": b"", "a/.wh..wh..opq": b""},
)


@pytest.mark.extended
@given(
    pack=st.sampled_from(sorted(PACK)),
    changes=st.dictionaries(st.integers(0, len(RAW) - 1), st.integers(0, 255), max_size=6),
    end=st.integers(0, len(RAW)),
    outer=st.booleans(),
)
def test_damaged_layers_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    pack: str,
    changes: dict[int, int],
    end: int,
    outer: bool,
) -> None:
    stored = bytearray(PACK[pack](RAW) if outer else RAW)
    for position, value in changes.items():
        stored[position % len(stored)] = value
    raw = bytes(stored[: end or len(stored)])
    one = packed(raw, "tar" if outer else pack)
    folder = tmp_path_factory.mktemp("layer") / "out"
    try:
        found = unpacked(folder, one, budget=Budget(1 << 20, 60))
    except InputError:
        return
    assert found["/"].kind == "folder"


@pytest.mark.parametrize(
    ("time", "kept"),
    [(-1, 0), (0, 0), (1.5, 1), ((1 << 32) - 1, (1 << 32) - 1), (1 << 32, 0), (1e30, 0)],
)
def test_a_time_that_the_kernels_archive_cannot_hold_is_none(
    tmp_path: Path, time: float, kept: int
) -> None:
    found = unpacked(tmp_path / "out", packed(layer((member("x", b"", mtime=time), b""))))
    assert found["/x"].mtime == kept


@pytest.mark.parametrize(("number", "fits"), [(0, True), ((1 << 32) - 1, True), (1 << 32, False)])
@pytest.mark.parametrize("kind", ["uid", "gid"])
def test_owners_have_32_bits(tmp_path: Path, kind: str, number: int, fits: bool) -> None:
    raw = packed(layer((member("x", b"", **{kind: number}), b"")))
    if fits:
        assert getattr(unpacked(tmp_path / "out", raw)["/x"], kind) == number
    else:
        with pytest.raises(InputError, match=f"no user or group has the number {number}"):
            unpacked(tmp_path / "out", raw)


@pytest.mark.parametrize("mode", [0o100, 0o010, 0o001])
def test_what_anyone_may_execute_can_be_executed_here(tmp_path: Path, mode: int) -> None:
    """ELF files are told from scripts and data by it when an image is put together."""
    unpacked(
        tmp_path / "out",
        packed(layer((member("x", b"x", mode=mode), b"x"), (member("y", b"y"), b"y"))),
    )
    root = tmp_path / "out" / unpack.ROOT
    assert (root / "x").stat().st_mode & 0o777 == 0o755
    assert (root / "y").stat().st_mode & 0o777 == 0o644


def test_nothing_but_the_tree_and_its_list_is_left(tmp_path: Path) -> None:
    """A folder of contents beside it would take the room twice, or show up in a build."""
    unpacked(tmp_path / "out", packed(layer(files={"x": b"1"})), packed(layer(files={"x": b"2"})))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {unpack.ROOT, unpack.LIST}
    assert (tmp_path / "out" / unpack.ROOT / "x").read_bytes() == b"2"
    assert (tmp_path / "out" / unpack.ROOT / "x").stat().st_nlink == 1


@pytest.mark.parametrize(("files", "fits"), [(3, True), (4, False)])
def test_a_number_of_files_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, fits: bool
) -> None:
    """Of all layers together: an archive of a few kilobytes could fill a disk with empty files."""
    monkeypatch.setattr(unpack, "_MAX_FILES", 3)
    layers = [packed(layer(files={f"{n}": b""})) for n in range(files)]
    if fits:
        assert len(unpacked(tmp_path / "out", *layers)) == 1 + files
    else:
        with pytest.raises(InputError, match="more than 3 files"):
            unpacked(tmp_path / "out", *layers)


def zstd_frame(raw: bytes, window_log: int) -> bytes:
    """A frame of one block that is not compressed, whose header asks for a window (RFC 8878)."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0, window_log - 10 << 3])
    return head + (len(raw) << 3 | 1).to_bytes(3, "little") + raw


@pytest.mark.parametrize(("window_log", "fits"), [(27, True), (28, False)])
def test_a_zstd_layer_takes_at_most_128_mib_of_memory(
    tmp_path: Path, window_log: int, fits: bool
) -> None:
    """As zstd's own `--long` makes them; a header may ask for terabytes."""
    raw = layer(files={"x": b"1"})
    stored = zstd_frame(raw, window_log)
    one = Layer("layer", lambda: io.BytesIO(stored), digest(raw), digest(stored))
    if fits:
        assert "/x" in unpacked(tmp_path / "out", one)
    else:
        with pytest.raises(InputError, match=r"layer: .*too much memory"):
            unpacked(tmp_path / "out", one)


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_layer_packed_in_parts_is_one(tmp_path: Path, pack: str) -> None:
    """As pigz and zstd:chunked write them."""
    raw = layer(files={"x": b"1" * 5000})
    stored = PACK[pack](raw[:700]) + PACK[pack](raw[700:])
    one = Layer("layer", lambda: io.BytesIO(stored), digest(raw), digest(stored))
    assert unpacked(tmp_path / "out", one)["/x"].kind == "file"


@pytest.mark.parametrize(
    ("size", "what"),
    [(1 << 20, "empty header"), ((1 << 20) + 1, "a header of 1048577")],
)
def test_an_extended_header_has_at_most_a_mib(tmp_path: Path, size: int, what: str) -> None:
    info = member("x", b"")
    info.type, info.size = tarfile.XHDTYPE, size
    with pytest.raises(InputError, match=what):
        unpacked(tmp_path / "out", packed(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)))


def test_a_name_that_no_file_system_holds(tmp_path: Path) -> None:
    raw = layer(files={"n" * 256: b"1"})
    with pytest.raises(InputError, match=r"the container image: .*name too long"):
        unpacked(tmp_path / "out", packed(raw))


def test_the_digest_is_of_all_bytes(tmp_path: Path) -> None:
    """Also of those behind the end of the archive, which tar does not look at."""
    raw = layer(files={"x": b"1"}) + bytes(3 << 20)
    assert "/x" in unpacked(tmp_path / "one", packed(raw))
    with pytest.raises(InputError, match="does not have the digest"):
        unpacked(tmp_path / "two", packed(raw, diff_id=digest(raw[:-1])))
