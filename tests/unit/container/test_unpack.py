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
