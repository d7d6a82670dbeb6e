"""Signatures in minisign's format."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro import debian
from nitro.publish import minisign
from nitro.publish.minisign import NoKey, NotSigned, read_public_key, read_secret_key

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_ID, SEED = bytes(range(8)), bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
PUBLIC_TEXT = base64.b64encode(b"Ed" + KEY_ID + PUBLIC).decode()
CONTENT = b"a release"


def secret_file(
    folder: Path,
    password: str | None = None,
    limits: tuple[int, int] = (32768, 16 << 20),
    numbers: tuple[int, int] = (1024, 1),
) -> Path:
    """As `minisign -G` writes it, with the least work for scrypt; without a password: -W.

    `limits` are libsodium's, of operations and memory, and `numbers` scrypt's N and p for them.
    """
    secret = KEY_ID + SEED + PUBLIC
    salt, (operations, memory), (n, p) = bytes(32), limits, numbers
    kdf, checksum = b"\0\0", bytes(32)
    if password is not None:
        kdf, checksum = b"Sc", hashlib.blake2b(b"Ed" + secret, digest_size=32).digest()
    secret += checksum
    if password is not None:
        stream = hashlib.scrypt(
            password.encode(), salt=salt, n=n, r=8, p=p, dklen=len(secret), maxmem=1 << 26
        )
        secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
    asked = operations.to_bytes(8, "little") + memory.to_bytes(8, "little")
    raw = b"Ed" + kdf + b"B2" + salt + asked + secret
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


@pytest.mark.parametrize(
    ("limits", "numbers"),
    [
        ((100, 16 << 20), (1024, 1)),  # never less than 32768 operations
        ((65536, 16 << 20), (2048, 1)),
        ((32768, 256 << 10), (256, 4)),  # what memory bounds is done several times over
        ((65536, 1 << 20), (1024, 2)),
        ((40000, 1 << 20), (1024, 1)),
    ],
)
def test_scrypt_s_numbers_follow_from_limits_as_in_libsodium(
    tmp_path: Path, limits: tuple[int, int], numbers: tuple[int, int]
) -> None:
    path = secret_file(tmp_path, "secret", limits, numbers)
    assert read_secret_key(path, "secret").key_id == KEY_ID


@pytest.mark.parametrize("limits", [((1 << 25) + 1, 1 << 20), (32768, (1 << 30) + 1)])
def test_a_key_that_asks_for_more_than_minisign_s_do_is_refused(
    tmp_path: Path, limits: tuple[int, int]
) -> None:
    with pytest.raises(NoKey, match="more memory or time"):
        read_secret_key(secret_file(tmp_path, "secret", limits), "secret")


def test_a_key_that_asks_for_as_much_as_minisign_s_do_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = secret_file(tmp_path, "secret", (1 << 25, 1 << 30)), []

    def scrypt(password: bytes, *, n: int, r: int, p: int, dklen: int, **_: object) -> bytes:
        asked.append((n, r, p))
        return bytes(dklen)  # the real one takes a gigabyte and seconds

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    with pytest.raises(NoKey, match="does not open"):
        read_secret_key(path, "secret")
    assert asked == [(1 << 20, 8, 1)]


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


def test_a_text_too_long_for_a_path_is_no_key() -> None:
    with pytest.raises(NoKey):
        read_public_key("A" * 5000)


def test_a_key_whose_halves_do_not_belong_together_is_damaged(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    comment, text = path.read_text().splitlines()
    raw = bytearray(base64.b64decode(text))
    raw[54 + 8] ^= 1
    path.write_text(f"{comment}\n{base64.b64encode(raw).decode()}\n")
    with pytest.raises(NoKey, match="is damaged"):
        read_secret_key(path, None)


@pytest.mark.parametrize("content", [b"", b"\n", b"untrusted comment: x\n", b"\xff"])
def test_an_empty_or_foreign_file_is_no_secret_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "minisign.key"
    path.write_bytes(content)
    with pytest.raises(NoKey):
        read_secret_key(path, None)


@given(st.binary(min_size=158, max_size=158), st.booleans())
def test_any_secret_key_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, scrypt: bool
) -> None:
    """Limits of scrypt that would take hours are refused as well."""
    raw = b"Ed" + (b"Sc" if scrypt else b"\0\0") + b"B2" + noise[6:45] + b"\xff" + noise[46:]
    path = tmp_path_factory.getbasetemp() / "any.key"
    path.write_bytes(b"untrusted comment: x\n" + base64.b64encode(raw))
    with pytest.raises(NoKey):
        read_secret_key(path, "secret")


@pytest.fixture(scope="module")
def program() -> list[str]:
    """minisign's own, of Debian."""
    return debian.tree(debian.Wanted(("minisign",))).program("minisign")


@pytest.mark.slow
@pytest.mark.parametrize("password", [None, "secret"])
def test_minisign_accepts_our_signatures_and_we_accept_its(
    program: list[str], tmp_path: Path, password: str | None
) -> None:
    """A key with a password is ours: those of `minisign -G` take it a gigabyte and seconds."""

    def run(*words: str) -> str:
        done = subprocess.run(
            [*program, *words],
            cwd=tmp_path,
            input=f"{password}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    key, public_file = tmp_path / "minisign.key", tmp_path / "minisign.pub"
    if password is None:
        run("-G", "-W", "-p", public_file.name, "-s", key.name)
    else:
        secret_file(tmp_path, password)
        public_file.write_text(f"untrusted comment: public\n{PUBLIC_TEXT}\n")
    release, signature = tmp_path / "release.json", tmp_path / "release.json.minisig"
    release.write_bytes(CONTENT)
    signature.write_text(minisign.sign(CONTENT, read_secret_key(key, password), "release web-1"))
    told = run("-V", "-p", public_file.name, "-m", release.name)
    assert "Trusted comment: release web-1" in told
    public = read_public_key(str(public_file))
    for older in ([], ["-l"]):
        run("-S", "-s", key.name, "-m", release.name, "-t", "theirs", *older)
        assert minisign.verify_file(release, signature, public) == "theirs"
    release.write_bytes(b"another")
    with pytest.raises(NotSigned):
        minisign.verify_file(release, signature, public)


@given(st.text(max_size=200))
def test_no_text_is_a_key_or_a_signature_by_chance(text: str) -> None:
    with pytest.raises(NoKey):
        read_public_key(text.replace("\0", ""))
    with pytest.raises(NotSigned):
        minisign.verify(CONTENT, text, minisign.PublicKey(KEY_ID, None))  # type: ignore[arg-type]
