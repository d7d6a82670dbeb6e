"""Layers of all kinds: what they become, or what is said of them."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.container_images import (
    PACK,
    digest,
    layer,
    member,
)
from nitro.budget import Budget
from nitro.container import unpack
from nitro.container.source import Layer
from nitro.errors import NitroError
from nitro.progress import Stage
from tests.said import error_text
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

LONG, LONGER = "n" * 255, "n" * 256
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    before = os.umask(0o022)
    yield
    os.umask(before)


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=tarfile.LNKTYPE, linkname=target), b""


def _file(name: str, content: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, content, **fields), content


def _folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, None, **fields), b""


def _symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, target), b""


def _device(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind), b""


def _with_capability(value: str) -> tuple[tarfile.TarInfo, bytes]:
    info, content = _file("capable")
    info.pax_headers = {"SCHILY.xattr.security.capability": value}
    return info, content


TREES: dict[str, list[Members]] = {
    "nothing": [],
    "an empty layer": [[]],
    "owners, modes, times": [
        [
            _folder("a", mode=0o1777, uid=1, gid=2, mtime=3),
            _file("a/f", mode=0o4755, uid=4, gid=5, mtime=6.9),
            _file("a/g", b"", mode=0o640, mtime=-1),
            _file("a/h", mode=0o001, mtime=(1 << 32) - 1),
            _file("a/i", mtime=1 << 32),
            _symlink("a/l", "f"),
        ]
    ],
    "numbers of owners": [[_file("f", uid=(1 << 32) - 1, gid=0)]],
    "a number that no owner has": [[_file("f", uid=1 << 32)]],
    "a number that no group has": [[_file("f", gid=1 << 32)]],
    "the root itself": [[_folder(".", mode=0o700, uid=7), _file("./f"), _folder("/")]],
    "a root that is no folder": [[_file("f"), _file("/", b"root")]],
    "names that go up": [[_file("../f"), _file("a/../g"), _file("a/./b//c")]],
    "hard links": [
        [
            _folder("a"),
            _file("a/f", b"one"),
            _link("g", "a/f"),
            _link("h", "./g"),
            _symlink("s", "x"),
        ],
        [_link("i", "g"), _link("t", "s")],
    ],
    "a hard link to a folder": [[_folder("a"), _link("b", "a")]],
    "a hard link to nothing": [[_link("b", "a")]],
    "a hard link below nothing": [[_link("b", "a/b")]],
    "a hard link to the root": [[_link("b", "/")]],
    "capabilities": [[_with_capability("\1\2\udcff"), _file("f")]],
    "devices": [
        [
            _device("c", tarfile.CHRTYPE),
            _device("b", tarfile.BLKTYPE),
            _device("p", tarfile.FIFOTYPE),
        ],
        [_device("d", tarfile.CHRTYPE)],
    ],
    "a file in place of a folder": [[_file("a/b"), _file("c")], [_file("a"), _folder("c")]],
    "a folder again": [[_folder("a", mode=0o700), _file("a/b")], [_folder("a", mode=0o711)]],
    "whiteouts": [
        [_file("a/b"), _file("a/c"), _file("d/e"), _symlink("l", "a"), _file("f")],
        [_file("a/.wh.b"), _file(".wh.d"), _file("l/.wh.c"), _file(".wh.none"), _file("no/.wh.x")],
        [_file("a/b", b"again")],
    ],
    "a whiteout in the layer of its file": [[_file("a/b"), _file(".wh.a"), _file("c/.wh.d")]],
    "a whiteout of a folder with something newer": [
        [_file("a/b"), _file("a/c")],
        [_file("a/d"), _file(".wh.a")],
    ],
    "opaque": [
        [_file("a/b"), _file("a/c/d"), _file("e")],
        [_folder("a"), _file("a/c/n"), _file("a/.wh..wh..opq"), _file(".wh..wh.plnk")],
    ],
    "all is opaque": [[_file("a/b"), _file("c")], [_file(".wh..wh..opq"), _file("d")]],
    "a whiteout as a folder": [[_file(".wh.a/b")]],
    "through links": [
        [_folder("usr/lib"), _symlink("lib", "usr/lib"), _symlink("abs", "/usr/./lib")],
        [_file("lib/one"), _file("abs/two"), _file("lib/../three")],
    ],
    "a link that leads up": [[_symlink("a", "../../b"), _file("a/f")]],
    "a folder in place of a link": [
        [_folder("b"), _symlink("a", "b")],
        [_folder("a"), _file("a/f")],
    ],
    "a circle": [[_symlink("a", "b"), _symlink("b", "a"), _file("a/f")]],
    "forty links": [[_symlink(f"{n}", f"{n + 1}") for n in range(40)] + [_file("0/f")]],
    "forty-one links": [[_symlink(f"{n}", f"{n + 1}") for n in range(41)] + [_file("0/f")]],
    "a file for a folder": [[_file("a"), _file("a/b")]],
    "399 folders": [[_file("d/" * 399 + "f", b"")]],
    "400 folders": [[_file("d/" * 400 + "f", b"")]],
    "deep through a link": [[_folder("d/" * 399), _symlink("l", "d/" * 399), _file("l/e/f")]],
    "deeper through a link": [[_folder("d/" * 400), _symlink("l", "d/" * 400), _file("l/e/f")]],
    "a path of 4096": [[_symlink("/".join([LONG] * 16), "x")]],
    "a path of 4097": [[_symlink("/".join([LONG] * 16) + "/x", "x")]],
    "a long name": [[_file(LONG)]],
    "a name that is too long": [[_file(LONGER)]],
}


def _tree(folder: Path) -> str:
    entries, special = unpack.read(folder)
    root = folder / unpack.ROOT
    text = f"  {special} left out, {sorted(one.name for one in folder.iterdir())}\n"
    for path, entry in entries.items():
        place = Path(f"{root}{path}")
        found = place.lstat()
        here = f"{stat.filemode(found.st_mode)}"
        if entry.kind == "file":
            here += f" {found.st_nlink} {place.read_bytes()!r}"
        owner = f"{entry.uid}:{entry.gid}"
        more = f"{entry.capability!r} {entry.mtime}"
        name = path if len(path) < 90 else f"{path[:40]}…{path[-40:]} ({len(path)})"
        text += (
            f"  {name} {entry.kind} {entry.mode:o} {owner} {entry.target!r:.60} {more}: {here}\n"
        )
    return text if text.count("\n") < 60 else "\n".join(text.splitlines()[-3:]) + "\n"


def _layers(raws: list[bytes], pack: str = "tar") -> list[Layer]:
    made = []
    for number, raw in enumerate(raws):
        stored = PACK[pack](raw)
        name = f"layer {number}"
        opened = partial(io.BytesIO, stored)
        made.append(Layer(name, opened, digest(raw), digest(stored)))
    return made


def test_trees(tmp_path: Path) -> None:
    text = ""
    for number, (name, layers) in enumerate(TREES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        text += f"{name}\n"
        try:
            unpack.unpack(_layers([layer(*one) for one in layers]), folder, Stage())
            text += _tree(folder)
        except NitroError as error:
            text += error_text(error, tmp_path)
    compare(HERE / "trees.txt", text)


def _zstd(content: bytes, window: int) -> bytes:
    """A frame with a window of 2**`window` KiB, of one block that is not compressed."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\0" + bytes([window << 3]) + block + content


def _damaged_layers() -> dict[str, Layer]:
    [whole] = _layers([layer(files={"etc": None, "etc/x": b"content" * 300})])
    raw = whole.open().read()

    def of(stored: bytes, name: str = "layer", **fields: Any) -> Layer:
        known: dict[str, Any] = {"diff_id": digest(raw), "digest": digest(stored)}
        return Layer(name, lambda: io.BytesIO(stored), **{**known, **fields})

    packed, frozen = PACK["gzip"](raw), PACK["zstd"](raw)
    huge = bytearray(layer(*[_file("f")]))
    huge[124:136] = b"%011o\0" % (1 << 40)
    return {
        "gzip": of(packed),
        "zstd": of(frozen),
        "two frames": of(PACK["zstd"](raw[:700]) + PACK["zstd"](raw[700:])),
        "zeros behind": of(raw + bytes(1024), diff_id=digest(raw + bytes(1024))),
        "other bytes behind": of(packed + b"more"),
        "no digest": of(packed, digest=None),
        "another digest": of(packed, digest=digest(b"")),
        "another archive": of(packed, diff_id=digest(b"")),
        "empty": of(b""),
        "text": of(b"text" * 200),
        "cut gzip": of(packed[:-9]),
        "wrong sum of gzip": of(packed[:-5] + b"\0" + packed[-4:]),
        "damaged gzip": of(packed[:20] + b"\xff" * 20 + packed[40:]),
        "damaged zstd": of(frozen[:9] + b"\xff" * 9 + frozen[18:]),
        "a window of 128 MiB": of(_zstd(raw, 17)),
        "a window of 256 MiB": of(_zstd(raw, 18)),
        "cut zstd": of(frozen[:-5]),
        "cut tar": of(raw[:900]),
        "a size beyond the end": of(bytes(huge)),
        "a wrong sum": of(raw[:3] + b"!" + raw[4:]),
    }


def test_layers(tmp_path: Path) -> None:
    text = ""
    for number, (name, one) in enumerate(_damaged_layers().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        text += f"{name}\n"
        try:
            unpack.unpack([one], folder, Stage())
            text += f"  {len(unpack.read(folder)[0])} entries\n"
        except NitroError as error:
            ours = "digest" in error.what
            text += (
                error_text(error, tmp_path)
                if ours
                else f"  {error.what.partition(':')[0]} refused\n"
            )
    compare(HERE / "layers.txt", text)


@pytest.mark.parametrize(("most", "fits"), [(10239, False), (10240, True)])
def test_layers_are_read_as_far_as_the_budget_goes(tmp_path: Path, most: int, fits: bool) -> None:
    raw = layer(files={"x": b"1" * 5000})
    assert len(raw) == 10240
    try:
        unpack.unpack(_layers([raw], "zstd"), tmp_path / ".", Stage(), Budget(most, 60.0))
    except NitroError:
        assert not fits
    else:
        assert fits
