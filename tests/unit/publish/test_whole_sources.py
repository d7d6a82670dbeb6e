"""What comes of disks and of signatures, and of each byte of them that is another."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro import progress
from nitro.cloud import DiskImage
from nitro.errors import NitroError
from nitro.publish import source
from nitro.publish.source import BLOCK_SIZE, Provenance
from tests.transcripts import compare
from tests.unit.publish.test_whole_plans import HERE, Text

pytestmark = pytest.mark.extended


def test_sources(tmp_path: Path) -> None:
    said = Text()

    class Stage(progress.Stage):
        def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
            told.append((done, total))

    told: list[object] = []

    def scan(size: int, *parts: tuple[int, bytes]) -> list[object]:
        told.clear()
        path = tmp_path / "disk.raw"
        with path.open("wb") as file:
            file.truncate(size)
            for at, data in parts:
                file.seek(at)
                file.write(data)
        digest, found, blocks = source.scan(path, Stage())
        right = digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        short = {index: value.hex()[:8] for index, value in blocks.items()}
        whole = source.of_raw_disk(
            path, name="a", architecture="x86_64", boot_mode="uefi", stage=progress.Stage()
        )
        return [right, found, short, told[:], whole.data_bytes, whole.disk.blocks]

    for title, given in {
        "empty": (0,),
        "one byte": (1, (0, b"x")),
        "a hole": (BLOCK_SIZE + 1,),
        "zeros": (BLOCK_SIZE, (0, bytes(BLOCK_SIZE))),
        "an end": (2 * BLOCK_SIZE + 5, (2 * BLOCK_SIZE + 4, b"x")),
        "a whole block": (BLOCK_SIZE, (0, b"x" * BLOCK_SIZE)),
        "some": (5 * BLOCK_SIZE, (0, b"x"), (2 * BLOCK_SIZE - 1, b"yy"), (4 * BLOCK_SIZE, b"z")),
    }.items():
        said.add(title, scan, *given)
    disk = tmp_path / "disk.raw"

    def raw(name: str = "a", architecture: str = "x86_64", mode: str = "uefi") -> object:
        found = source.of_raw_disk(
            disk, name=name, architecture=architecture, boot_mode=mode, stage=progress.Stage()
        )
        return replace(found.disk, path=Path("disk")), found.provenance

    for names in (
        *(("a",), ("a" * 63,), ("a" * 64,), ("",), (".a",), ("a/b",), ("A9._-",)),
        *(("a", "arm64"), ("a", "i386"), ("a", "x86_64", "legacy-bios"), ("a", "x86_64", "x")),
    ):
        said.add(f"{names}", raw, *names)
    known = DiskImage(disk, f"sha256:{'0' * 64}", 1, "a")

    def of_image(digest: str) -> object:
        found = source.of_image(replace(known, digest=digest), Provenance("r"), progress.Stage())
        return found.provenance, len(found.blocks), found.state == source._state(disk)

    right = f"sha256:{hashlib.sha256(disk.read_bytes()).hexdigest()}"
    said.add("of an image", of_image, right)
    said.add("of another", lambda: _plainly(tmp_path, of_image, known.digest))
    for name, mode in {"d": stat.S_IFDIR, "f": stat.S_IFIFO, "s": stat.S_IFSOCK}.items():
        path = tmp_path / name
        if mode == stat.S_IFDIR:
            path.mkdir()
        else:
            os.mknod(path, mode | 0o600)
        said.add(name, lambda p: _plainly(tmp_path, source.open_disk, p), path)
    said.add("gone", lambda: _plainly(tmp_path, source.open_disk, tmp_path / "gone"))
    one = source.of_raw_disk(
        disk, name="a", architecture="x86_64", boot_mode="uefi", stage=progress.Stage()
    )
    said.add("unchanged", one.require_unchanged)
    os.utime(disk, ns=(1, 1))
    said.add("changed", lambda: _plainly(tmp_path, one.require_unchanged))
    compare(HERE / "sources.txt", said.text.replace(f"{tmp_path}/", ""))


def _plainly(folder: Path, ask: Any, *given: Any) -> Any:
    try:
        return ask(*given)
    except NitroError as error:
        error.what = error.what.replace(f"{folder}/", "")
        raise


def test_signatures(tmp_path: Path) -> None:
    """Each byte of keys and signatures changed, and each line."""
    minisign = pytest.importorskip("nitro.publish.minisign")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key_id, seed = bytes(range(8)), bytes(range(32))
    own = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    public = own.public_key().public_bytes_raw()
    secret = b"Ed\0\0B2" + bytes(48) + key_id + seed + public + bytes(32)
    said = Text()

    def read(raw: bytes, head: str = "untrusted comment: x\n") -> object:
        path = tmp_path / "key"
        path.write_text(head + base64.b64encode(raw).decode() + "\n")
        return _plainly(tmp_path, minisign.read_secret_key, path, None).key_id.hex()

    said.add("a secret key", read, secret)
    said.add("alone", read, secret, "")
    for at in (0, 1, 2, 3, 4, 5, 6, 38, 53, 54, 61, 62, 93, 94, 125, 126, 157):
        said.add(f"byte {at}", read, secret[:at] + bytes([secret[at] ^ 1]) + secret[at + 1 :])
    for raw in (secret[:-1], secret + b"x", b""):
        said.add(f"{len(raw)} bytes", read, raw)
    found = minisign.SecretKey(key_id, own)
    text = minisign.sign(b"content", found, "made at noon")
    said.add("a signature", lambda: text.splitlines())
    known = minisign.PublicKey(key_id, own.public_key())

    def verify(changed: str, content: bytes = b"content") -> object:
        return minisign.verify(content, changed, known)

    said.add("verified", verify, text)
    said.add("another content", verify, text, b"contents")
    lines = text.splitlines()
    for number in range(4):
        said.add(f"without line {number}", verify, "\n".join(lines[:number] + lines[number + 1 :]))
        changed = [*lines[:number], lines[number] + "A", *lines[number + 1 :]]
        said.add(f"more in line {number}", verify, "\n".join(changed))
    said.add("a fifth line", verify, text + "more\n")
    raw = base64.b64decode(lines[1])
    for at in (0, 1, 2, 9, 10, 73):
        other = base64.b64encode(raw[:at] + bytes([raw[at] ^ 32]) + raw[at + 1 :]).decode()
        said.add(f"signature byte {at}", verify, "\n".join([lines[0], other, *lines[2:]]))
    plain = base64.b64encode(b"Ed" + key_id + own.sign(b"content")).decode()
    comment = base64.b64encode(own.sign(own.sign(b"content") + b"made at noon")).decode()
    said.add("not hashed before", verify, "\n".join([lines[0], plain, lines[2], comment]))

    def public_key(text: str) -> object:
        return _plainly(tmp_path, minisign.read_public_key, text).key_id.hex()

    good = base64.b64encode(b"Ed" + key_id + public).decode()
    for title, given in {
        "good": good,
        "with lines": f"\ncomment\n{good}\n",
        "hashed": base64.b64encode(b"ED" + key_id + public).decode(),
        "short": base64.b64encode(b"Ed" + key_id + public[:-1]).decode(),
        "long": base64.b64encode(b"Ed" + key_id + public + b"x").decode(),
        "empty": "",
        "no base64": "?",
    }.items():
        said.add(f"public: {title}", public_key, given)
    path = tmp_path / "content"
    path.write_bytes(b"content")
    beside = tmp_path / "content.minisig"
    said.add("unsigned", lambda: _plainly(tmp_path, minisign.verify_file, path, beside, known))
    beside.write_text(text)
    said.add("signed", minisign.verify_file, path, beside, known)
    for size in (4096, 4097):
        beside.write_text(text + "x" * (size - len(text)))
        said.add(f"{size}", lambda: _plainly(tmp_path, minisign.verify_file, path, beside, known))
    beside.write_bytes(b"\xff")
    said.add("no text", lambda: _plainly(tmp_path, minisign.verify_file, path, beside, known))
    for place in (tmp_path / "gone", tmp_path):
        said.add("no file", lambda p: _plainly(tmp_path, minisign.read_secret_key, p, None), place)
    compare(HERE / "signatures.txt", said.text.replace(str(tmp_path), "folder"))


def test_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scrypt is asked for, by the limits that a key has, and what opens it."""
    minisign = pytest.importorskip("nitro.publish.minisign")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key_id, seed, salt = bytes(range(8)), bytes(range(32)), bytes(range(100, 132))
    own = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    plain = key_id + seed + own.public_key().public_bytes_raw()
    said = Text()
    path = tmp_path / "key"

    def read(
        operations: int, memory: int, password: str | None = "word", damage: int = 0
    ) -> object:
        asked: list[str] = []

        def scrypt(given: bytes, **named: Any) -> bytes:
            shown = {k: v.hex() if isinstance(v, bytes) else v for k, v in sorted(named.items())}
            asked.append(f"{given!r} {shown}")
            return bytes([7]) * int(named["dklen"])

        monkeypatch.setattr(minisign.hashlib, "scrypt", scrypt)
        checksum = hashlib.blake2b(b"Ed" + plain, digest_size=32).digest()
        hidden = bytes(byte ^ 7 ^ damage for byte in plain + checksum)
        limits = operations.to_bytes(8, "little") + memory.to_bytes(8, "little")
        raw = b"EdScB2" + salt + limits + hidden
        path.write_text("comment\n" + base64.b64encode(raw).decode())
        try:
            return [
                _plainly(tmp_path, minisign.read_secret_key, path, password).key_id.hex(),
                asked,
            ]
        except NitroError as error:
            error.hint = f"{error.hint}, {asked}"
            raise

    mib = 1 << 20
    for operations, memory in (
        *((0, 16 * mib), (32767, 16 * mib), (32768, 16 * mib), (32769, 16 * mib), (32768, mib)),
        *((32768, mib + 31), (32768, mib + 32), (1 << 25, 1 << 30), ((1 << 25) + 1, 1 << 30)),
        *((1 << 25, (1 << 30) + 1), (1 << 25, mib), (1 << 25, 8 * mib), (1 << 20, 33 * mib)),
        *((1 << 20, 32 * mib), (1 << 20, 31 * mib), (65536, 2 * mib), (65535, 2 * mib)),
        *((1 << 25, 4096), (1 << 25, 2048), (1 << 22, 1 << 26)),
    ):
        said.add(f"{operations}, {memory}", read, operations, memory)
    said.add("no password", read, 32768, mib, None)
    said.add("another password", read, 32768, mib, "x", 1)
    compare(HERE / "passwords.txt", said.text)
