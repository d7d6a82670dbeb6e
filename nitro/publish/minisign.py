"""Signatures in minisign's format: what `minisign -S` writes, `minisign -V` accepts.

Ed25519 over BLAKE2b-512 of the file; the trusted comment is signed with the signature.
https://jedisct1.github.io/minisign/#signature-format
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nitro import input_file
from nitro.errors import InputError, NitroError, RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

SUFFIX = ".minisig"
_ED, _PREHASHED = b"Ed", b"ED"
_SCRYPT, _NONE, _BLAKE2 = b"Sc", b"\0\0", b"B2"
_KEY_ID, _SIGNATURE = 8, 64  # bytes
_LARGEST = 4096  # bytes of a key or signature file
# libsodium's "sensitive" limits, which `minisign -G` sets.
_MOST_OPERATIONS, _MOST_MEMORY = 1 << 25, 1 << 30
_COMMENT = "untrusted comment: "
_TRUSTED = "trusted comment: "


class NoKey(InputError):
    """A key that cannot be used."""


class NotSigned(RefusedError):
    """A signature that does not belong to the file and the key."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    key_id: bytes
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    key_id: bytes
    key: Ed25519PublicKey


def sign(content: bytes, secret: SecretKey, trusted_comment: str) -> str:
    """The text of the signature file. The comment is one line."""
    signature = secret.key.sign(_digest(content))
    of_comment = secret.key.sign(signature + trusted_comment.encode())
    return (
        f"{_COMMENT}signature of nitro\n{_encoded(_PREHASHED + secret.key_id + signature)}\n"
        f"{_TRUSTED}{trusted_comment}\n{_encoded(of_comment)}\n"
    )


def verify(content: bytes, signature_file: str, public: PublicKey) -> str:
    """The trusted comment. Raises NotSigned when anything does not fit."""
    from cryptography.exceptions import InvalidSignature

    lines = signature_file.splitlines()
    if len(lines) < 4 or not lines[2].startswith(_TRUSTED):
        raise NotSigned("the signature is not in minisign's format")
    raw, of_comment = _decoded(lines[1]), _decoded(lines[3])
    algorithm, key_id, signature = raw[:2], raw[2 : 2 + _KEY_ID], raw[2 + _KEY_ID :]
    if len(signature) != _SIGNATURE or algorithm not in (_ED, _PREHASHED):
        raise NotSigned("the signature is not in minisign's format")
    if key_id != public.key_id:
        raise NotSigned(f"the signature is of the key {_name(key_id)}, not {_name(public.key_id)}")
    comment = lines[2].removeprefix(_TRUSTED)
    try:
        public.key.verify(signature, _digest(content) if algorithm == _PREHASHED else content)
        public.key.verify(of_comment, signature + comment.encode())
    except InvalidSignature:
        raise NotSigned(
            "the signature does not match", hint="the file or its signature was changed"
        ) from None
    return comment


def verify_file(path: Path, signature: Path, public: PublicKey) -> str:
    """The trusted comment of a file's signature. Raises NotSigned, InputError without a file."""
    input_file.check(path)
    content = path.read_bytes()
    if not signature.is_file():
        raise NotSigned(f"{path} is not signed: there is no {signature.name}")
    return verify(content, _read(signature), public)


def read_public_key(text_or_path: str) -> PublicKey:
    """A key as `minisign -P` takes it, or the file with it. Raises NoKey."""
    path = Path(text_or_path)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a path
        is_file = False
    text = _read(path) if is_file else text_or_path
    raw = _decoded(text.strip().splitlines()[-1] if text.strip() else "")
    if len(raw) != 2 + _KEY_ID + 32 or raw[:2] != _ED:
        raise NoKey(f"{text_or_path} is not a public key of minisign", hint="see minisign.pub")
    return PublicKey(raw[2 : 2 + _KEY_ID], _ed25519().Ed25519PublicKey.from_public_bytes(raw[-32:]))


def read_secret_key(path: Path, password: str | None) -> SecretKey:
    """A key file of minisign's; `password` where it has one. Raises NoKey."""
    text = _read(path).strip()
    raw = _decoded(text.splitlines()[-1] if text else "")
    # signature, kdf and checksum algorithms, salt, limits of scrypt; key id, seed and public key,
    # checksum
    if len(raw) != 6 + 32 + 8 + 8 + _KEY_ID + 64 + 32 or raw[:2] != _ED or raw[4:6] != _BLAKE2:
        raise NoKey(f"{path} is not a secret key of minisign", hint="`minisign -G` makes one")
    kdf, secret = raw[2:4], raw[54:]
    if kdf == _SCRYPT:
        if password is None:
            raise NoKey(f"{path} needs a password", hint="set NITRO_SIGN_PASSWORD")
        operations, memory = (int.from_bytes(raw[at : at + 8], "little") for at in (38, 46))
        if operations > _MOST_OPERATIONS or memory > _MOST_MEMORY:
            raise NoKey(f"{path} asks for more memory or time than minisign's keys do")
        stream = _scrypt(password, raw[6:38], operations, memory, len(secret))
        secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
    elif kdf != _NONE:
        raise NoKey(f"{path} is encrypted in a way that nitro does not know")
    key_id, seed, public, checksum = secret[:_KEY_ID], secret[8:40], secret[40:72], secret[72:]
    # A key without a password has no checksum.
    if kdf == _SCRYPT and hashlib.blake2b(_ED + secret[:72], digest_size=32).digest() != checksum:
        raise NoKey(f"the password does not open {path}")
    key: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
    if key.public_key().public_bytes_raw() != public:
        raise NoKey(f"{path} is damaged: its two halves do not belong together")
    return SecretKey(key_id, key)


def _scrypt(password: str, salt: bytes, operations: int, memory: int, length: int) -> bytes:
    """libsodium's crypto_pwhash_scryptsalsa208sha256, which picks scrypt's numbers from limits.

    https://github.com/jedisct1/libsodium, pwhash_scryptsalsa208sha256.c: pickparams
    """
    operations = max(operations, 32768)
    bounded = operations < memory // 32
    most = operations // 32 if bounded else memory // 1024
    exponent = next(n for n in range(1, 64) if 1 << n > most // 2)
    parallel = 1 if bounded else min(operations // 4 >> exponent, 0x3FFFFFFF) // 8
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=1 << exponent,
        r=8,
        p=max(parallel, 1),
        dklen=length,
        maxmem=(1 << exponent) * 1024 + (1 << 20) * (parallel + 2),
    )


def _ed25519() -> ModuleType:
    """Raises NitroError where the extra is not installed."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise NitroError(
            "signatures need the package cryptography", hint='pip install "nitro-ami[sign]"'
        ) from None
    return ed25519


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content).digest()


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            path.stat()  # what is not there says so
            raise NoKey(f"{path} is not a file of minisign's")
        return path.read_text()
    except OSError as error:
        raise NoKey(f"{path}: {error.strerror}", hint="check the path") from None
    except UnicodeDecodeError:
        raise NoKey(f"{path} is not a file of minisign's") from None


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes:
    """Empty for what is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _name(key_id: bytes) -> str:
    """As minisign prints it."""
    return key_id[::-1].hex().upper()
