"""Which mirror is used: that of this machine's apt, as apt tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import mirror
from nitro.errors import NitroError

from .conftest import FakeApt


def test_the_archives_are_those_that_apt_names_for_this_release(fake_apt: FakeApt) -> None:
    assert mirror.archives() == {
        "debian": "http://deb.example/debian",
        "debian-security": "http://deb.example/debian-security",
    }
    mirror.archives()
    assert len(fake_apt.calls) == 1, "apt is asked once"


def test_the_first_source_of_an_archive_wins(fake_apt: FakeApt) -> None:
    fake_apt.answers(
        "indextargets",
        "bookworm http://other/debian/\nstable http://one/debian\ntrixie http://two/debian\n"
        "stable-security http://one/security/\n",
    )
    assert mirror.archives() == {
        "debian": "http://one/debian",
        "debian-security": "http://one/security",
    }


def test_an_apt_without_debian_is_told_so(fake_apt: FakeApt) -> None:
    fake_apt.answers("indextargets", "bookworm http://other/debian/\n")
    with pytest.raises(NitroError, match="no source for Debian trixie"):
        mirror.archives()


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ('ID=ubuntu\nPRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\n', r"Ubuntu 24\.04"),
        ("ID=debian\nPRETTY_NAME='Debian sid'\n# no code name\n", "Debian sid"),
        ("", "this system"),
        (None, "this system"),
    ],
)
def test_another_system_is_named(
    fake_apt: FakeApt, tmp_path: Path, release: str | None, name: str
) -> None:
    mirror.OS_RELEASE.unlink()
    if release is not None:
        mirror.OS_RELEASE.write_text(release)
    with pytest.raises(NitroError, match=f"^{name} is not Debian"):
        mirror.archives()


def test_values_of_os_release_may_be_quoted(fake_apt: FakeApt) -> None:
    mirror.OS_RELEASE.write_text("ID=\"debian\"\nVERSION_CODENAME='trixie'\n")
    assert "debian" in mirror.archives()


def test_an_apt_that_fails_is_quoted(fake_apt: FakeApt) -> None:
    fake_apt.answers("indextargets", error="E: broken sources\n", code=100)
    with pytest.raises(NitroError, match="apt-get indextargets failed: E: broken sources"):
        mirror.archives()
    fake_apt.answers("indextargets", code=7)
    with pytest.raises(NitroError, match="failed: 7"):
        mirror.archives()


def test_a_machine_without_apt_is_told_so(
    fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NitroError, match="apt-get is not on this machine"):
        mirror.archives()
