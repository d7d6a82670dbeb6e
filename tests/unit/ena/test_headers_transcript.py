"""What cards say of received frames of every kind and of damaged ones, as transcripts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest

from nitro.ena.profiles import PROFILES, Profile, with_all_offloads
from tests.transcripts import compare
from tests.unit.ena.driver import BASE, RAM, Driver, ipv4_frame
from tests.unit.ena.frames import good4, good6

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
END = BASE + RAM
BUFFERS = BASE + 0x200000
FRAME = ipv4_frame()


CARDS: dict[str, Profile] = {
    "c5": PROFILES["c5"],
    "all": with_all_offloads(PROFILES["c5"]),
    "minimal": PROFILES["minimal"],
    "fixed": with_all_offloads(PROFILES["graviton"]),
}


# Kinds of frames: of many few have an outcome of their own.


def changed(frame: bytes, at: int, value: int) -> bytes:
    return frame[:at] + bytes([value]) + frame[at + 1 :]


def kinds() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    plain = {
        **{f"tcp4+{n}": bytes(good4(6, b"pay" * n)) for n in (0, 1, 40)},
        **{f"udp4+{n}": bytes(good4(17, b"pay" * n)) for n in (0, 1, 40)},
        **{f"tcp6+{n}": bytes(good6(6, b"pay" * n)) for n in (0, 40)},
        **{f"udp6+{n}": bytes(good6(17, b"pay" * n)) for n in (0, 40)},
    }
    for name, frame in plain.items():
        found[name] = frame
        found[f"{name} vlan"] = frame[:12] + b"\x81\x00\x00\x07" + frame[12:]
        found[f"{name} padded"] = frame + bytes(7)
        for size in (*range(12, 62), len(frame) - 1):
            found[f"{name}:{size}"] = frame[:size]
            if name in ("tcp4+40", "udp6+40"):
                found[f"{name} vlan:{size}"] = found[f"{name} vlan"][:size]
    for name in ("tcp4+40", "udp4+40", "tcp6+40", "udp6+40"):
        frame = plain[name]
        for at in range(12, 64):
            for flip in (0x01, 0x20, 0x40, 0x80):
                found[f"{name} {at}^{flip:x}"] = changed(frame, at, frame[at] ^ flip)
        for at in (14, 15, 16, 17, 18, 19, 20, 21, 23):
            for value in (0, 1, 5, 17, 0x46, 0x4F, 0x50, 0x65, 0xFF):
                found[f"{name} {at}={value:x}"] = changed(frame, at, value)
    udp = plain["udp4+40"]
    found["udp4 without a sum"] = udp[:40] + b"\0\0" + udp[42:]
    udp = plain["udp6+40"]
    found["udp6 without a sum"] = udp[:60] + b"\0\0" + udp[62:]
    options = bytearray(good4(6, b"options"))
    options[14:34] = options[14:34] + b"\1" * 4
    options[14] = 0x46
    found["options"] = bytes(options)
    return found


@pytest.mark.parametrize("name", CARDS)
def test_kinds_of_frames(name: str) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    hashes: dict[str, str] = {}
    driver = Driver(CARDS[name])
    driver.start()
    ring = driver.rx_queue(64, fill=60)
    for what, frame in kinds().items():
        driver.port.deliver(frame)
        driver.run()
        ((status, data, value),) = driver.received(ring)
        assert data == frame
        driver.fill(ring, 1)
        driver._next -= 4096
        found[f"{status & ~(1 << 24):08x}"].append(what)
        hashes[what] = f"{value:08x}"
    lines = [f"{status}\n    {', '.join(names)}" for status, names in found.items()]
    lines += [f"hash {value}: {what}" for what, value in hashes.items() if " " not in what]
    whole = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()
    lines.append(f"hashes of all {whole}")
    compare(HERE / f"rx-kinds-{name}.txt", "\n".join(lines) + "\n")
