"""Checksums and segmentation in plain Python, and what else needs no card, as transcripts."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from nitro.ena import llq, offload, pcapng, rss
from nitro.ena.checksum_fallback import ChecksumFallback
from nitro.ena.offload import Offload, TcpHeaders
from nitro.ena.vectors import Vectors
from tests.transcripts import compare
from tests.unit.ena.frames import good4, good6
from tests.unit.ena.recorder import shown

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


@pytest.fixture(autouse=True)
def loop() -> None:
    """The C loop has no part in this."""


def test_sums() -> None:
    lines = []
    data = (
        b"",
        b"\0",
        b"\0\0",
        b"\1",
        b"\0\1",
        b"\xff\xff",
        b"\xff\xfe\0\1",
        b"\xff\xff\0\1",
        b"abc",
    )
    for each in data:
        lines.append(f"{each.hex()}: {offload.ones_sum(each)} {offload.checksum(each)}")
    for addresses in (bytes(8), b"\xff" * 8, bytes(range(8)), b"\0\1" + bytes(30)):
        for protocol in (0, 6, 17):
            for length in (
                0,
                1,
                20,
                65508,
                65527,
                65528,
                65529,
                65534,
                65535,
                65536,
                65541,
                131071,
            ):
                total = offload.pseudo_sum(addresses, protocol, length)
                lines.append(f"{addresses.hex()} {protocol} {length}: {total}")
    for zero in (65535 - 6 - 20, 65535 - 6 - 20 + 1):
        whole = zero.to_bytes(2, "big") + bytes(6)
        lines.append(f"{whole.hex()}: {offload.pseudo_sum(whole, 6, 20)}")
    for start, at in itertools.product((0, 1, 14, 28, 29, 30, 31), (0, 1, 2, 6, 28, 29, 30, 40)):
        frame = bytearray(range(30))
        offload.finish_checksum(frame, start, at)
        changed = [f"{n}:{b:02x}" for n, b in enumerate(frame) if b != n]
        lines.append(f"finish {start} {at}: {' '.join(changed)}")
        for cuts in ((1,), (14,), (15,), (16, 17), (29,), (30,), (0, 30)):
            frame = bytearray(range(30))
            ends = [0, *cuts, 30]
            pieces = [memoryview(frame)[a:b] for a, b in itertools.pairwise(ends)]
            offload.finish_checksum_in_pieces(pieces, start, at)
            again = [f"{n}:{b:02x}" for n, b in enumerate(frame) if b != n]
            if again != changed:
                lines.append(f"    in pieces {cuts}: {' '.join(again)}")
    zeros = bytearray(b"\0\0\xff\xff")
    offload.finish_checksum(zeros, 0, 0)
    lines.append(zeros.hex())
    zeros = bytearray(b"\0\0\xff\xff")
    offload.finish_checksum_in_pieces([memoryview(zeros)[:1], memoryview(zeros)[1:]], 0, 0)
    lines.append(zeros.hex())
    for skip in range(12):
        parts = [memoryview(b"abc"), memoryview(b""), memoryview(b"defg"), memoryview(b"h")]
        lines.append(f"skip {skip}: {[bytes(each) for each in offload.skip_bytes(parts, skip)]}")
    compare(HERE / "sums.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("v6", [False, True])
def test_cables(v6: bool) -> None:
    lines = []
    l4, gso = (54, 4) if v6 else (34, 1)
    frame = bytes((good6 if v6 else good4)(6, bytes(range(50))))

    def cut(what: str, header: Offload, data: bytes) -> None:
        wire = list(offload.wire_frames(header.pack(), bytearray(data)))
        lines.append(f"{what}: {header} {Offload.parse(header.pack()) == header}")
        lines.extend(f"    {shown(bytes(each))}" for each in wire)

    for kind in (0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x84):
        for flags in (0, 1, 2, 3):
            cut("kind", Offload(flags, kind, l4 + 20, 20, l4, 16), frame)
    for size in (0, 1, 24, 25, 26, 49, 50, 51, 65535):
        if size != 1:
            cut("size", Offload(1, gso, l4 + 20, size, l4, 16), frame)
    for start in (0, 33, 34, 35, l4 - 1, l4 + 1, l4 + 4, l4 + 30, l4 + 31, len(frame) - 20, 65535):
        cut("start", Offload(1, gso, 0, 20, start, 16), frame)
    for length in (l4 + 19, l4 + 20, l4 + 21, l4 + 40, l4 + 41):
        cut("length", Offload(1, gso, 0, 20, l4, 16), frame[:length])
    for at in (14, l4 + 4, l4 + 5, l4 + 12, l4 + 13, 18, 19):
        for value in (0, 0x09, 0x40, 0x45, 0x46, 0x50, 0x60, 0x80, 0xF0, 0xFF):
            changed = frame[:at] + bytes([value]) + frame[at + 1 :]
            header = Offload(1, gso, 0, 20, l4, 16)
            lines.append(f"{at}={value:x}: {TcpHeaders.find(header, changed)}")
            if at > 19:
                cut("changed", header, changed)
    tagged = frame[:12] + b"\x81\0\0\7" + frame[12:]
    cut("tagged", Offload(1, gso, 0, 20, l4 + 4, 16), tagged)
    ends = frame[: l4 + 4] + b"\xff\xff\xff\xf0" + frame[l4 + 8 :]
    cut("round the end", Offload(1, gso, 0, 20, l4, 16), ends)
    high = frame[:18] + b"\xff\xff" + frame[20:]
    cut("the last identity", Offload(1, gso, 0, 20, l4, 16), high)
    tcp = TcpHeaders.find(Offload(1, gso, 0, 20, l4, 16), frame)
    assert tcp
    for skipped, number in ((0, 0), (7, 0), (0, 3), (7, 3)):
        for piece in tcp.cut(frame, frame[tcp.end :], 30, skipped=skipped, number=number):
            lines.append(f"behind {skipped} in {number}: {piece.hex()}")
    compare(HERE / f"cables-{6 if v6 else 4}.txt", "\n".join(lines) + "\n")


def test_hashes() -> None:
    lines = []
    kinds = ("TCP4", "UDP4", "TCP6", "UDP6", "IP4", "IP6", "IP4_FRAGMENT", "NOT_IP", "TCP6_EXT")
    for fixed in (False, True):
        made = rss.Rss(fixed=fixed)
        for function, initial in ((None, None), (rss.CRC32, None), (None, 7), (rss.TOEPLITZ, 9)):
            made.configure(function=function, initial=initial)
            for name in kinds:
                for addresses in (bytes(range(8)), bytes(range(8, 0, -1)), bytes(range(32))):
                    for ports in (b"", b"\0\x50\4\1", b"\4\1\0\x50", b"\4\4\4\4"):
                        value = made.hash(getattr(rss, name), addresses, ports)
                        lines.append(f"{fixed} {function} {initial} {name} {value:08x}")
    made = rss.Rss()
    for bit in range(6):
        made.configure(fields={rss.TCP4: 1 << bit})
        value = made.hash(rss.TCP4, bytes(range(8)), b"\1\2\3\4")
        lines.append(f"field {bit}: {value:08x} {made.hash(rss.UDP4, bytes(8), b'')}")
    made.configure(key=bytes(range(40)), fields=dict(rss.SUPPORTED_FIELDS))
    lines.append(f"another key {made.hash(rss.TCP4, bytes(range(8)), b'abcd'):08x}")
    for table in (None, [5], [5, 6], [1, 2, 3, 4]):
        made.table = table
        lines.append(f"{table}: {[made.queue(value) for value in range(6)]}")
    for size in (0, 1, 35, 36, 37, 50):
        lines.append(f"{size}: {rss.toeplitz(rss.DEFAULT_KEY).hash(bytes(range(1, size + 1))):08x}")
    compare(HERE / "hashes.txt", "\n".join(lines) + "\n")


def test_interrupts() -> None:
    lines: list[str] = []
    raised: list[int] = []
    vectors = Vectors(4, raised.append)

    def note(what: str, value: object = "") -> None:
        states = [(v.number, v.masked, v.due, v.rx_delay, v.tx_delay, v.fired) for v in vectors.io]
        lines.append(f"{what} {value}: {raised} {vectors.management_masked} {states}")
        raised.clear()

    for number in range(-1, 6):
        found = vectors.get(number)
        lines.append(f"vector {number}: {found and found.number}")
    for masked in (True, False, False, True):
        vectors.post_management()
        note("management")
        vectors.mask_management(masked)
        note("masked", masked)
    one, two, three = vectors.io
    for value in (0, 1 << 30, 1 << 31, 3 << 30, 1 << 30 | 7 << 15 | 5, 0x3FFFFFFF, 1 << 31 | 9):
        for lag in (0.0, 3.0, 50.0):
            one.rearm(value, 2.0, lag)
            note(f"rearm {value:#x}", lag)
    two.rearm(1 << 30 | 4 << 15 | 2, 1.0)
    three.rearm(1 << 30, 1.0)
    for vector, kind, at in (
        *((two, "rx", 10.0), (two, "tx", 9.0), (two, "tx", 7.0), (three, "tx", 11.0)),
        *((three, "rx", 10.5), (one, "rx", 0.0)),
    ):
        getattr(vector, f"post_{kind}")(at)
        note(f"{vector.number} {kind}", at)
    for now in (9.0, 10.4, 10.5, 10.99, 11.0, 12.0, 99999.0):
        note("flush", vectors.flush(now))
        two.rearm(1 << 30, 1.0)
        note("two is ready")
    one.rearm(1 << 30, 1.0)
    note("flush", vectors.flush(99999.0))
    note("flush", vectors.flush(1e9))
    one.post_tx(5.0)
    vectors.post_management()
    vectors.reset()
    note("reset", vectors.flush(1e9))
    vectors.mask_management(False)
    note("nothing waits")
    compare(HERE / "vectors.txt", "\n".join(lines) + "\n")


def test_the_rest() -> None:
    lines = []
    for queues in (1, 2, 3, 8):
        for depth in (512, 1024):
            for wide, wide_depth in ((False, 512), (True, 256), (True, 512), (True, 513)):
                size = llq.bar2_size(queues, depth, wide, wide_depth)
                ring = llq.ring_size(depth, wide, wide_depth)
                lines.append(f"{queues} {depth} {wide} {wide_depth}: {size} {ring}")
    for flows, times in (
        ((1, 1, 1, 1), (0, 1, 2, 3)),
        ((1, 1, 1, 1), (0, 5, 5.1, 5.2)),
        ((1, 1, 1, 1), (0, 5.1, 5.2, 10.2)),
        ((2, 1, 1, 1), (6, 7, 8, 9)),
        ((1, 1, 2, 1), (100, 105, 105, 105)),
    ):
        fallback = ChecksumFallback()
        said = [fallback.watches, fallback.seen(1, 7, 0.0, whole=True), fallback.watches]
        said += [fallback.seen(1, 7, 0.0, whole=False) for _ in range(0)]
        for flow, now in zip(flows, times, strict=True):
            said += [fallback.seen(flow, 7, now, whole=False), fallback.watches]
        said.append(fallback.seen(1, 7, 99.0, whole=True))
        lines.append(f"{flows} {times}: {said}")
    fallback = ChecksumFallback()
    for number in range(4095):
        fallback.seen(number, 0, 0.0, whole=True)
    said = [fallback.seen(0, 0, 0.0, whole=False), fallback.seen(5000, 0, 0.0, whole=True)]
    said += [fallback.seen(1, 0, 0.0, whole=True), fallback.seen(5001, 0, 0.0, whole=True)]
    said += [fallback.seen(2, 0, 0.0, whole=False), fallback.seen(5001, 0, 0.0, whole=False)]
    said += [fallback.seen(5001, 0, 0.0, whole=False)]
    lines.append(f"many: {said}")
    compare(HERE / "parts.txt", "\n".join(lines) + "\n")


def test_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []

    class Out(io.BytesIO):
        def flush(self) -> None:
            flushed.append(self.tell())

    out = Out()
    for stamp in (0, 1_700_000_000_123_456_789, (1 << 32) * 1000 - 1):
        monkeypatch.setattr(pcapng.time, "time_ns", lambda stamp=stamp: stamp)  # type: ignore[attr-defined]
        writer = pcapng.PcapngWriter(out)
        for size in range(6):
            writer.frame("in" if size & 1 else "out", [bytes(range(size)), b"", b"x"])
    whole = out.getvalue()
    lines = [whole[at : at + 32].hex() for at in range(0, len(whole), 32)]
    compare(HERE / "capture.txt", "\n".join([*lines, f"{flushed}"]) + "\n")
