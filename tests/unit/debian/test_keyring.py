"""The archive's keys: of this machine, or of a package whose hash is known."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.arch import X86_64
from nitro.debian import Package, Wanted, fetch, keyring, mirror
from nitro.debian.apt import AptRoot
from nitro.errors import NitroError

from .conftest import MakePackage

PATH = keyring.INSIDE


@pytest.fixture
def no_keys(pool: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without keys, and an archive without packages."""
    monkeypatch.setattr(keyring, "KEYRING", pool / "none.gpg")
    monkeypatch.setattr(keyring, "PINNED", ())
    return pool


def pin(monkeypatch: pytest.MonkeyPatch, *packages: Package) -> None:
    monkeypatch.setattr(keyring, "PINNED", packages)


def test_this_machines_keys_are_used_where_it_has_some(
    no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = no_keys / "own.gpg"
    own.touch()
    monkeypatch.setattr(keyring, "KEYRING", own)
    assert keyring.keyring() == own


def test_keys_come_from_a_pinned_package_and_are_fetched_once(
    no_keys: Path, make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = make_package("keys", {PATH[1:]: "the keys"})
    pin(monkeypatch, package)
    found = keyring.keyring()
    assert found.read_text() == "the keys"
    (no_keys / package.path).unlink()
    assert keyring.keyring() == found


def test_a_package_of_another_hash_is_refused(
    no_keys: Path, make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = make_package("keys", {PATH[1:]: "the keys"})
    pin(monkeypatch, replace(package, sha256="0" * 64))
    with pytest.raises(NitroError):
        keyring.keyring()


def test_an_archive_that_has_dropped_all_of_them_says_what_to_install(
    no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropped(packages: list[Package], stage: object) -> list[Path]:
        raise fetch.SupersededError(packages[0], "gone")

    monkeypatch.setattr(fetch, "download", dropped)
    pin(monkeypatch, *(Package("keys", each, "all", "debian", "p", 1, "0" * 64) for each in "12"))
    with pytest.raises(NitroError, match="1 or 2 any more") as caught:
        keyring.keyring()
    assert caught.value.hint == "install it: sudo apt-get install debian-archive-keyring"


def deb(files: dict[str, str | bytes], member: str = "data.tar.xz") -> bytes:
    """A package as deb(5) has it; a text is a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f".{name}")
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (member, out.getvalue())]
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        + content
        + b"\n" * (len(content) % 2)
        for name, content in members
    )


def test_links_are_followed_inside_the_package() -> None:
    target = PATH.replace(".gpg", ".pgp")
    made = deb({PATH: Path(target).name, target: b"keys"})
    assert keyring.file_of(made, PATH) == b"keys"


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (b"", "no archive of ar"),
        (b"!<arch>\n", "no data.tar"),
        (deb({PATH: b"keys"}, member="other"), "no data.tar"),
        (deb({PATH: b"keys"})[:-9], "cut short"),
        (deb({"/other": b"keys"}), f"no {PATH} in the Debian package"),
        (deb({PATH: Path(PATH).name}), f"no {PATH} in the Debian package"),
    ],
)
def test_what_is_no_package_with_keys_is_refused(made: bytes, says: str) -> None:
    with pytest.raises(NitroError, match=says):
        keyring.file_of(made, PATH)


@pytest.mark.extended
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_a_package_or_an_error_of_ours(noise: bytes, place: int) -> None:
    made = deb({PATH: b"keys"})
    for content in (noise, b"!<arch>\n" + noise, made[:place] + noise + made[place:]):
        with suppress(NitroError):
            keyring.file_of(content, PATH)


@pytest.mark.slow
def test_another_distribution_without_keys_reads_debian(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an Ubuntu runner: the mirror is set, and the keys come from the archive."""
    monkeypatch.setenv("NITRO_DEBIAN_MIRROR", mirror.archives()["debian"])
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path))
    release = tmp_path / "os-release"
    release.write_text("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n")
    monkeypatch.setattr(mirror, "OS_RELEASE", release)
    monkeypatch.setattr(keyring, "KEYRING", tmp_path / "none.gpg")
    mirror.archives.cache_clear()
    try:
        apt = AptRoot.open("trixie", X86_64)
        assert [package.name for package in apt.resolve(Wanted(("hello",), closure=False))]
    finally:
        mirror.archives.cache_clear()
    assert list((tmp_path / "keyrings").glob("*.gpg"))
