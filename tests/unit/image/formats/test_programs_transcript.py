"""What is read of programs and kernels, whole and with a wrong byte."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.formats import elf, system_calls, wrappers
from nitro.image.formats.symbols import Exports, read
from nitro.image.osv import fastlz
from tests.transcripts import compare
from tests.unit.image import elves
from tests.unit.image.formats.damage import wrong_bytes
from tests.unit.image.osv.kernel import pack

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

NAMES = ("one", "two", "three", "four", "none", "", "needed")


@pytest.mark.parametrize("gnu_hash", [False, True])
def test_symbols(tmp_path: Path, gnu_hash: bool) -> None:
    raw = elves.write(
        tmp_path / "f", imports=["needed"], exports=NAMES[:4], needed=["lib.so"], gnu_hash=gnu_hash
    ).read_bytes()

    def show(data: bytes) -> str:
        exports = Exports(data)
        found = "".join("x" if exports.address(name) is None else "." for name in NAMES)
        try:
            symbols = read(data)
        except ValueError as error:
            return f"{found} {str(error).partition(':')[0]}"
        defined = sorted(f"{name}={value:x}" for name, value in symbols.defined.items())
        names = f"{found} {' '.join(defined)}; {sorted(symbols.needed)} {sorted(symbols.weak)}"
        return names.encode(errors="backslashreplace").decode()[:200]

    text = wrong_bytes(raw, range(4, len(raw)), show, (0x01, 0x20, 0x80))
    for length in range(64, len(raw), 13):
        text += f"{length} bytes: {show(raw[:length])}\n"
    compare(HERE / f"symbols-{'gnu' if gnu_hash else 'old'}.txt", text)


def test_programs(tmp_path: Path) -> None:
    path = tmp_path / "f"
    raw = elves.write(
        path,
        needed=["liba.so", "libb.so"],
        rpath="/a::/b",
        runpath=":/c",
        interpreter="/lib/ld.so",
        thread_local=9,
        code=b"\x0f\x05" * 3,
    ).read_bytes()

    def show(data: bytes) -> str:
        other = tmp_path / hashlib.sha256(data).hexdigest()
        other.write_bytes(data)
        try:
            found = elf.read(other)
        except InputError:
            return "refused"
        text = f"{found.kind} {found.machine} {found.bits} {found.interpreter} {found.needed}"
        text += f" {found.rpath} {found.runpath} {found.thread_local}"
        try:
            text += f" {[len(one) for one in elf.code(other)]}"
        except InputError:
            text += " no code"
        return text.encode(errors="backslashreplace").decode()[:220]

    kinds = range(16, 20)
    headers = [at for start in range(64, 64 + 56 * 4, 56) for at in (start, start + 4)]
    headers += [at for start in range(64, 64 + 56 * 4, 56) for at in range(start + 32, start + 42)]
    text = wrong_bytes(raw, [*kinds, *headers], show, (0x01, 0x02))
    for machine in (0, 3, 62, 183, 243, 9999):
        text += f"{machine}: {elf.machine_name(machine)}\n"
    for start in (b"", b"\x7fEL", b"\x7fELF", b"\x7fELG"):
        path.write_bytes(start)
        text += f"{start!r}: {elf.is_elf(path)}\n"
    compare(HERE / "elf.txt", text)


def test_compressed_blocks() -> None:
    text = ""
    content = b"abcdefgh" * 40 + b"x" * 300 + b"end"
    blocks = {
        "level 1": (pack(content), len(content)),
        "one": (b"\x00a", 1),
        "32 letters": (b"\x1f" + b"b" * 32, 32),
        "level 2": (b"\x20a" + bytes([1 << 5 | 0, 0]), 4),
        "a long match of level 1": (b"\x00a" + bytes([7 << 5, 200, 0]), 1 + 209),
        "a long match of level 2": (b"\x20a" + bytes([7 << 5, 255, 255, 3, 0]), 1 + 9 + 513),
        "far": (b"\x20a" + b"\x1fb" * 0 + bytes([1 << 5 | 31, 255, 0, 0]), 4),
        "two away": (b"\x01ab" + bytes([3 << 5, 1]), 2 + 5),
    }

    def show(data: bytes) -> str:
        found = fastlz.decompress(data, size)
        return f"{len(found)} {zlib.crc32(found):x} {found[:12]!r}"

    for name, (block, size) in blocks.items():
        text += f"{name}, {size}\n{wrong_bytes(block, range(len(block)), show, (0x01, 0x20, 0x80))}"
        for length in range(len(block)):
            try:
                text += f"  {length}: {show(block[:length])}\n"
            except ValueError as error:
                text += f"  {length}: {error}\n"
    for distance in (8190, 8191, 8192, 8193, 8194):
        literals = bytes(range(256)) * 33
        run = b"".join(bytes([31]) + literals[at : at + 32] for at in range(0, 8448, 32))
        far = distance > 8191
        high, low = (31, 255) if far else divmod(distance - 1, 256)
        match = bytes([1 << 5 | high, low]) + (struct.pack(">H", distance - 8192) if far else b"")
        size = 8448 + 3
        raw = bytes([run[0] | 0x20]) + run[1:] + match
        text += f"{distance} away: {show(raw)} {fastlz.decompress(raw, size)[-3:]!r}\n"
    mib = 1 << 20
    packed = pack(bytes(mib))
    for last in (0, 1, 5):
        for count in (1, 2, 3):
            sizes = [(mib, len(packed))] * (count - 1) + [(last, last)]
            stored = packed * (count - 1) + b"z" * last
            table = struct.pack("<I", count) + b"".join(struct.pack("<II", *one) for one in sizes)
            for before, after in ((0, 0), (3, 9)):
                data = b"q" * before + struct.pack("<I", 4 + len(stored)) + stored + table
                data += b"r" * after
                found = fastlz.find_segments(data)
                segments = fastlz.unpack_segments(data)
                unpacked = None if segments is None else len(segments)
                text += f"{count} segments, {last}, {before}, {after}: {found} {unpacked}\n"
    sizes = [(mib, len(packed)), (3, 3)]
    stored = packed + b"abc"
    table = struct.pack("<I", 2) + b"".join(struct.pack("<II", *one) for one in sizes)
    data = struct.pack("<I", 4 + len(stored)) + stored + table + bytes(8)
    places = [*range(6), *range(len(stored) + 3, len(data))]
    text += wrong_bytes(data, places, lambda raw: str(fastlz.find_segments(raw)), (0x01, 0xFF))
    text += wrong_bytes(data, places[-24:], _unpacked, (0x01,))
    compare(HERE / "fastlz.txt", text)


def _unpacked(data: bytes) -> str:
    found = fastlz.unpack_segments(data)
    return "none" if found is None else f"{len(found)} {found[-4:]!r}"


def test_system_calls() -> None:
    text = ""
    for pattern in ("open", "syscall_open", "syscallopen", "syscall*", "*at2", "sys", "", "x"):
        found = system_calls.matching(pattern)
        text += f"{pattern!r}: {len(found)} {' '.join(found[:8])}\n"
    for number in (0, 1, 255, 334, 335, 423, 424, 462, 463, 0x3FF, 0x400):
        for start in (b"\xb8", b"\x41\xb8", b"\x49\xb8", b"\x48\xc7\xc0", b"\x48\xb8"):
            code = start + struct.pack("<I", number) + b"\x0f\x05"
            text += f"{start.hex()} {number}: {sorted(system_calls.made_by(code))}\n"
    for gap in (33, 34, 35, 36, 37, 40):
        for start in (b"\xb8\1\0\0\0", b"\x48\xc7\xc0\1\0\0\0"):
            code = start + b"\x90" * gap + b"\x0f\x05"
            text += f"{start.hex()} {gap} before: {sorted(system_calls.made_by(code))}\n"
    two = b"\xb8\0\0\0\0\xb8\1\0\0\0\x0f\x05\x0f\x05\xb8\2\0\0\0\x0f\x05"
    text += f"{sorted(system_calls.made_by(two))} {sorted(system_calls.made_by(b''))}\n"
    compare(HERE / "system-calls.txt", text)


def test_wrappers(tmp_path: Path) -> None:
    text = ""
    path = tmp_path / "file"
    starts = {
        b"\x1f\x8b\x08": 0,
        b"\xfd7zXZ\0": 0,
        b"\x28\xb5\x2f\xfd": 0,
        b"BZh": 0,
        b"PK\3\4": 0,
        b"7z\xbc\xaf\x27\x1c": 0,
        b"ustar": 257,
        b"KDMV": 0,
        b"# Disk DescriptorFile": 0,
        b"\x7f\x10\xda\xbe": 64,
        b"vhdxfile": 0,
        b"conectix": 0,
        b"QED\0": 0,
        b"ARM\x64": 56,
        b"text": 0,
    }
    for magic, place in starts.items():
        for at in (place, place + 1):
            path.write_bytes(bytes(at) + magic + b"more")
            try:
                wrappers.refuse(path, None if at == place else "origin")
                text += f"{magic!r} at {at}: is read\n"
            except InputError as error:
                text += f"{magic!r} at {at}: {error}\n".replace(f"{tmp_path}/", "")
    path.write_bytes(b"BZh")
    with pytest.raises(InputError, match=r"^origin: compressed by bzip2"):
        wrappers.refuse(path, "origin")
    compare(HERE / "wrappers.txt", text)
