"""What cards make of offload requests, as transcripts."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from nitro.ena.constants import TxOffload
from nitro.ena.profiles import ALL_TX_OFFLOADS, PROFILES, with_all_offloads
from tests.transcripts import compare
from tests.unit.ena.driver import (
    BASE,
    RAM,
    Driver,
    Ring,
    data_descriptor,
    meta_descriptor,
)
from tests.unit.ena.flags import IPV4, IPV6, L3, L4, PARTIAL, TCP, TSO, UDP, Words
from tests.unit.ena.frames import good4, good6

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
END = BASE + RAM
DATA = BASE + 0x200000


class Outcomes:
    """What became of each request: the rule that it broke, or the header and what was changed."""

    def __init__(self, offered: TxOffload = ALL_TX_OFFLOADS) -> None:
        self.driver = Driver(with_all_offloads(PROFILES["c5"]), tx_offloads=offered)
        self.driver.start()
        self.ring: Ring = self.driver.tx_queue(64)
        self.found: dict[str, list[str]] = defaultdict(list)

    def ask(
        self, name: str, frame: bytes, w1: int, meta: Words | None, cuts: tuple[int, ...] = ()
    ) -> None:
        driver, ring = self.driver, self.ring
        driver.poke(DATA, frame)
        if meta:
            driver.descriptor(ring, meta)
        places = [0, *cuts, len(frame)]
        for number, (at, end) in enumerate(pairwise(places)):
            first, last = not number and not meta, end == len(frame)
            bits = w1 if not number else 0
            here = data_descriptor(DATA + at, end - at, first=first, last=last, w1=bits)
            driver.descriptor(ring, here)
        driver.device.rules.broken.clear()
        driver.ring(ring)
        driver.run()
        rules = " ".join(driver.device.rules.broken)
        for header, sent in driver.port.sent:
            changed = [(n, b) for n, (a, b) in enumerate(zip(frame, sent, strict=True)) if a != b]
            rules += f" {header.hex()} " + " ".join(f"{at}:{byte:02x}" for at, byte in changed)
        driver.port.drain()
        self.found[rules.strip()].append(name)

    def compare(self, path: str) -> None:
        lines = [f"{what}\n    {' '.join(names)}" for what, names in self.found.items()]
        compare(HERE / path, "\n".join(lines) + "\n")


FRAMES = {
    "tcp4": bytes(good4(6, b"payload" * 30)),
    "udp4": bytes(good4(17, b"payload" * 30)),
    "tcp6": bytes(good6(6, b"payload" * 30)),
    "udp6": bytes(good6(17, b"payload" * 30)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_requests(kind: str) -> None:
    o = Outcomes()
    frame, length = FRAMES[kind], 40 if kind.endswith("6") else 20
    for l3 in (0, 7, 8, 9, 10, 11, 12, 15):
        for l4 in (0, 11, 12, 13, 14, 31):
            for flags in range(16):
                asked = sum(bit for n, bit in enumerate((TSO, L3, L4, PARTIAL)) if flags >> n & 1)
                name = f"{l3}.{l4}.{flags:x}"
                o.ask(name, frame, l3 | l4 << 8 | asked, meta_descriptor(length, 5, 100))
    o.compare(f"tx-requests-{kind}.txt")


@pytest.mark.parametrize("kind", FRAMES)
def test_what_was_offered(kind: str) -> None:
    lines = []
    frame, length = FRAMES[kind], 40 if kind.endswith("6") else 20
    base = (IPV6 if kind.endswith("6") else IPV4) | (TCP if "tcp" in kind else UDP)
    for offered in (TxOffload(0), *TxOffload, ALL_TX_OFFLOADS):
        o = Outcomes(offered)
        for flags in (L3, L4, L4 | PARTIAL, L3 | L4, TSO, TSO | L3 | L4, PARTIAL):
            o.ask(f"{flags:#x}", frame, base | flags, meta_descriptor(length, 5, 100))
        lines.append(f"{offered!r}: {dict(o.found)}")
    compare(HERE / f"tx-offered-{kind}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", FRAMES)
def test_meta_descriptors(kind: str) -> None:
    o = Outcomes()
    frame, length = FRAMES[kind], 40 if kind.endswith("6") else 20
    base = (IPV6 if kind.endswith("6") else IPV4) | (TCP if "tcp" in kind else UDP)
    for flags in (L3, L4, L4 | PARTIAL, TSO | L3):
        for l3_length in (0, 19, 20, 21, 24, 39, 40, 41, 44, 60, 255):
            o.ask(
                f"l3-{l3_length}.{flags:x}", frame, base | flags, meta_descriptor(l3_length, 5, 9)
            )
        for offset in (0, 13, 14, 15, 18, 255):
            w0, w1, w2, w3 = meta_descriptor(length, 5, 9)
            meta = (w0, w1, w2 & ~0xFF00 | offset << 8, w3)
            o.ask(f"at-{offset}.{flags:x}", frame, base | flags, meta)
        for words in (0, 4, 5, 6, 8, 15, 16, 63):
            o.ask(f"l4-{words}.{flags:x}", frame, base | flags, meta_descriptor(length, words, 9))
        for mss in (0, 7, 8, 9, 255, 1023, 1024, 0x3FFF):
            o.ask(f"mss-{mss}.{flags:x}", frame, base | flags, meta_descriptor(length, 5, mss))
        for bit in (16, 17, 18, 19):
            w0, *rest = meta_descriptor(length, 5, 9)
            o.ask(f"bit-{bit}.{flags:x}", frame, base | flags, (w0 ^ 1 << bit, *rest))  # type: ignore[arg-type]
        o.ask(f"remembered.{flags:x}", frame, base | flags, None)
    o.compare(f"tx-meta-{kind}.txt")


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_with_offloads(kind: str) -> None:
    o = Outcomes()
    frame, length = FRAMES[kind], 40 if kind.endswith("6") else 20
    base = (IPV6 if kind.endswith("6") else IPV4) | (TCP if "tcp" in kind else UDP)
    end = 14 + length
    for flags in (L3, L4, L4 | PARTIAL, TSO | L3):
        meta = meta_descriptor(length, 5, 100)

        def ask(name: str, data: bytes, cuts: tuple[int, ...] = (), flags: int = flags) -> None:
            o.ask(f"{name}.{flags:x}", data, base | flags, meta, cuts)  # noqa: B023

        for size in (14, 15, end - 1, end, end + 7, end + 8, end + 17, end + 18, end + 19):
            ask(f"size-{size}", frame[:size])
            ask(f"size-{end + 20}", frame[: end + 20])
        for size in range(end + 19, end + 23):
            ask(f"size-{size}", frame[:size])
        for cut in (1, 14, end - 1, end, end + 7, end + 8, end + 17, end + 18, end + 19, end + 20):
            ask(f"cut-{cut}", frame, (cut,))
            ask(f"cut-{cut}-{cut + 1}", frame, (cut, cut + 1))
        for at in range(14, end):
            for bit in (0x01, 0x20, 0x40, 0x80):
                changed = bytearray(frame)
                changed[at] ^= bit
                ask(f"{at}^{bit:x}", bytes(changed))
        changed = bytearray(frame)
        changed[end + 13] ^= 0x80
        ask("cwr", bytes(changed))
        for told in (0, length, length + 1, len(frame) - 15, len(frame) - 14, len(frame) - 13):
            changed = bytearray(frame)
            at = 18 if length == 40 else 16
            changed[at : at + 2] = told.to_bytes(2, "big")
            ask(f"told-{told}", bytes(changed))
            ask(f"told-{told}-padded", bytes(changed) + bytes(6))
        ask("zeros", bytes(len(frame)))
        ask("ones", frame[:end] + b"\xff" * 40)
    o.compare(f"tx-frames-{kind}.txt")
