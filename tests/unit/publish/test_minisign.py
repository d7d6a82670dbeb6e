"""Signatures in minisign's format."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.publish import minisign
from nitro.publish.minisign import NoKey, NotSigned, read_public_key, read_secret_key

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_ID, SEED = bytes(range(8)), bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
PUBLIC_TEXT = base64.b64encode(b"Ed" + KEY_ID + PUBLIC).decode()
CONTENT = b"a release"


def secret_file(folder: Path, password: str | None = None) -> Path:
    """As `minisign -G` writes it, with the least work for scrypt; without a password: -W."""
    secret = KEY_ID + SEED + PUBLIC
    secret += hashlib.blake2b(b"Ed" + secret, digest_size=32).digest()
    salt, operations, memory = bytes(32), 32768, 16 << 20
    kdf = b"\0\0"
    if password is not None:
        kdf = b"Sc"
        stream = hashlib.scrypt(
            password.encode(), salt=salt, n=1024, r=8, p=1, dklen=len(secret), maxmem=1 << 26
        )
        secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
    limits = operations.to_bytes(8, "little") + memory.to_bytes(8, "little")
    raw = b"Ed" + kdf + b"B2" + salt + limits + secret
    path = folder / "minisign.key"
    path.write_text(f"untrusted comment: secret\n{base64.b64encode(raw).decode()}\n")
    return path


@pytest.mark.parametrize("password", [None, "secret"])
def test_what_is_signed_is_verified(tmp_path: Path, password: str | None) -> None:
    key = read_secret_key(secret_file(tmp_path, password), password)
    text = minisign.sign(CONTENT, key, "release web-1")
    assert minisign.verify(CONTENT, text, read_public_key(PUBLIC_TEXT)) == "release web-1"


def test_a_wrong_password_opens_nothing(tmp_path: Path) -> None:
    path = secret_file(tmp_path, "secret")
    with pytest.raises(NoKey, match="does not open"):
        read_secret_key(path, "guess")
    with pytest.raises(NoKey, match="NITRO_SIGN_PASSWORD"):
        read_secret_key(path, None)


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_changed_line_is_found(tmp_path: Path, line: int) -> None:
    key = read_secret_key(secret_file(tmp_path), None)
    lines = minisign.sign(CONTENT, key, "release web-1").splitlines()
    lines[line] = lines[line].replace(lines[line][-8], "A" if lines[line][-8] != "A" else "B")
    with pytest.raises(NotSigned):
        minisign.verify(CONTENT, "\n".join(lines), read_public_key(PUBLIC_TEXT))


def test_another_content_or_key_is_found(tmp_path: Path) -> None:
    key = read_secret_key(secret_file(tmp_path), None)
    text = minisign.sign(CONTENT, key, "release")
    with pytest.raises(NotSigned, match="does not match"):
        minisign.verify(b"another", text, read_public_key(PUBLIC_TEXT))
    stranger = base64.b64encode(b"Ed" + bytes(8) + PUBLIC).decode()
    with pytest.raises(NotSigned, match="key 0706050403020100, not 0000000000000000"):
        minisign.verify(CONTENT, text, read_public_key(stranger))


def test_an_older_signature_over_the_content_itself_is_verified() -> None:
    """`minisign -S -l`."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    signature = key.sign(CONTENT)
    of_comment = key.sign(signature + b"old")
    text = "\n".join(
        (
            "untrusted comment: x",
            base64.b64encode(b"Ed" + KEY_ID + signature).decode(),
            "trusted comment: old",
            base64.b64encode(of_comment).decode(),
        )
    )
    assert minisign.verify(CONTENT, text, read_public_key(PUBLIC_TEXT)) == "old"


def test_a_file_without_a_signature_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_bytes(CONTENT)
    with pytest.raises(NotSigned, match=r"there is no release\.json\.minisig"):
        minisign.verify_file(path, tmp_path / "release.json.minisig", read_public_key(PUBLIC_TEXT))


@given(st.text(max_size=200))
def test_no_text_is_a_key_or_a_signature_by_chance(text: str) -> None:
    with pytest.raises(NoKey):
        read_public_key(text.replace("\0", ""))
    with pytest.raises(NotSigned):
        minisign.verify(CONTENT, text, minisign.PublicKey(KEY_ID, None))  # type: ignore[arg-type]
