"""How programs are started, and what is put into a kernel, at the edges of what fits."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import pytest

from nitro.image.libraries import Sysroot
from nitro.image.osv import command_line as lines
from nitro.image.osv import disk, programs, ramfs
from nitro.image.osv.layout import Layout, read_table
from nitro.image.osv.segment import Segment
from nitro.image.rootfs import Node
from tests.said import Said
from tests.transcripts import compare
from tests.unit.image import elves, systems
from tests.unit.image.osv.kernel import CONTENTS_AT, SAMPLE, build

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def test_how_programs_are_started(tmp_path: Path) -> None:
    said = Said(tmp_path)
    root = tmp_path / "root"
    for name in ("usr/lib/liba.so.1", "usr/lib/libc.so.6", f"usr{systems.LOADER}"):
        elves.write(root / name, imports=["of_b"] if "liba" in name else [], exports=["of_a"])
    (root / "lib64").symlink_to("usr/lib64")
    (root / "usr/lib/libmap.so.1").write_bytes(
        elves.write(root / "m").read_bytes() + b"/proc/self/maps\0"
    )
    write, vfork, odd = (b"\xb8" + struct.pack("<I", n) + b"\x0f\x05" for n in (1, 58, 425))
    common: dict[str, Any] = {"needed": ["liba.so.1", "libc.so.6"], "interpreter": systems.LOADER}
    made: dict[str, dict[str, Any]] = {
        "dynamic": {**common, "imports": ["printf", "of_a"]},
        "lacking": {**common, "imports": ["one", "two", "three", "four", "five", "six"]},
        "lacking five": {**common, "imports": ["one", "two", "three", "four", "five"]},
        "forking": {**common, "imports": ["fork", "system", "printf"]},
        "512": {**common, "thread_local": 512},
        "513": {**common, "thread_local": 513},
        "mapping": {**common, "needed": ["libmap.so.1"]},
        "interpreted": {"interpreter": systems.LOADER},
        "needing": {"needed": ["libc.so.6"]},
        "static": {"code": write},
        "static forking": {"code": vfork + write},
        "static odd": {"code": odd + write + b"\xb8\x13\1\0\0\x0f\x05"},
    }
    for name, keys in made.items():
        elves.write(root / "usr/bin" / name, **keys)
    (root / "usr/bin/script").write_text("#!/bin/sh\n")
    exports = ["printf", "of_b", "fork", "system"]
    kernels = {
        "usual": build(exports=exports),
        "few exports": build(exports=["printf", "fork", "system"]),
        "no calls": build(exports=exports, calls=()),
        "few calls": build(exports=exports, calls=("brk", "mmap", "write")),
        "old": build(exports=exports, says=b"Statically linked executables are not supported!"),
        "debug": build(exports=exports, says=b"\0_ZN16unaligned_copierI"),
    }
    for kernel, data in kernels.items():
        segment = Segment.parse(data)
        for name in (*made, "script"):
            for asked in (None, "osv", "static", "linux-ld"):
                if asked is None or kernel in ("usual", "old", "debug"):
                    said(
                        f"{name} on {kernel}, {asked}",
                        lambda n=name, a=asked, s=segment: programs.choose(
                            f"/usr/bin/{n}", root / "usr/bin" / n, a, Sysroot(root), s
                        ),
                    )
    for name in ("libc.so.6", "/lib64/ld-linux-x86-64.so.2", "libx.so.1", "x/libm.so.6"):
        said(name, lambda name=name: programs.provides(name))
    compare(HERE / "starts.txt", said.text)


def test_command_lines() -> None:
    said = Said()
    words = (
        "a",
        "a b",
        "",
        'a"b',
        "a\\b",
        "a\nb",
        "a\tb",
        "a;b",
        "a&b",
        "a$b",
        "é",
        "a'b",
        "~",
        "#",
    )
    for word in words:
        said(f"argument {word!r}", lambda word=word: lines.make(["/p", word], {}))
        said(f"variable {word!r}", lambda word=word: lines.make(["/p"], {"B": word, "A": "1"}))
    said("options", lambda: lines.make(["/p"], {"A": "b"}, ["--cwd=/x y", "--strace"]))
    for length in (63 * 512 - 1, 63 * 512):
        said(
            f"{length}",
            lambda length=length: len(disk.check_command_line("é" + "x" * (length - 2))),
        )
    said("NUL", lambda: disk.check_command_line("a\0b"))
    compare(HERE / "command-lines.txt", said.text)


def test_contents_of_a_kernel() -> None:
    """At, below and above what there is room for, of bytes and of entries."""
    said = Said()

    def show(segment: Segment, nodes: dict[str, Node]) -> str:
        layout = Layout.find(segment)
        composed = ramfs.compose(segment, layout, nodes)
        content = b"".join(bytes(chunk) for chunk in composed.chunks())
        fits = ramfs.fits(layout, nodes)
        end = ramfs.memory_end(layout, segment, nodes)
        places = [entry.place for entry in composed.contents]
        text = f"{len(content)} {composed.size} {_digest(content)} table {composed.table:#x} "
        text += f"fits={fits} up to {end:#x} {places[:2]} {places[-1:]}"
        entries = read_table(Segment.parse(content).data, composed.table)
        read = ramfs.read(Segment.parse(content), entries)
        names = {path.rstrip("/") or "/" for path in nodes}
        return f"{text} {len(read)} {read.keys() <= names}"

    room = 0x8000
    plain = Segment.parse(build([(0, b"/room", bytes(room))]))
    bare = bytearray(plain.data)
    bare[CONTENTS_AT + 3 : CONTENTS_AT + 7] = bytes(4)
    fixed_at = Segment.parse(bytes(bare))
    for name, segment in {"movable": plain, "fixed": fixed_at}.items():
        layout = Layout.find(segment)
        for size in (0, 1, 4095, 4096, 4097, room - 4096, room - 3840, room - 3839, room, room * 2):
            nodes = {"/a": Node("program", "x", source=b"z" * size)}
            said(f"{name}, {size} bytes", lambda s=segment, n=nodes: show(s, n))
        for count in (0, 1, layout.in_place - 1, layout.in_place, layout.in_place + 1, 400):
            nodes = {f"/{number:03}": Node("program", "x", source=b"") for number in range(count)}
            said(f"{name}, {count} entries", lambda s=segment, n=nodes: show(s, n))
    kinds = {
        "/": Node("program", "x"),
        "/d": Node("program", "x"),
        "/d/e": Node("program", "x"),
        "/d/f": Node("program", "x", source=b"f"),
        "/l": Node("program", "x", target="ö\udcff"),
        "/é\udcff": Node("program", "x", source=b""),
    }
    said("kinds", lambda: show(plain, kinds))
    for path in ("a", "/a\0", "/" + "n" * 109, "/" + "n" * 110, "/" + "é" * 55):
        for node in (Node("program", "x", source=b"x"), Node("program", "x")):
            said(f"{path[:9]!r} {len(path)}", lambda p=path, n=node: show(plain, {p: n}))
    said(
        "sample",
        lambda: ramfs.read(Segment.parse(build(SAMPLE)), read_table(build(SAMPLE), 0x1000)).keys(),
    )
    compare(HERE / "contents.txt", said.text)
