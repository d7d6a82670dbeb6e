"""Which mirror is used: that of this machine's apt, as apt tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import mirror
from nitro.errors import InputError, NitroError

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
    with pytest.raises(NitroError, match=f"^{name} is not Debian") as caught:
        mirror.archives()
    assert "NITRO_DEBIAN_MIRROR=" in str(caught.value.hint)


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
    with pytest.raises(NitroError, match="apt-get and dpkg-deb are not on this machine"):
        mirror.archives()


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("ID=debian", "sudo apt-get install dpkg"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'", "sudo apt-get install dpkg"),
        ("ID=fedora", "sudo dnf install dpkg"),
        ("ID=cachyos\nID_LIKE=arch", "sudo pacman -S dpkg"),
        ("ID=other", "install the packages dpkg of your distribution"),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_installs_it(
    fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: str, says: str
) -> None:
    mirror.OS_RELEASE.write_text(release)
    monkeypatch.setenv("PATH", str(tmp_path / "apt"))
    with pytest.raises(NitroError, match="dpkg-deb is not on this machine") as caught:
        mirror.archives()
    assert says in str(caught.value.hint)


ONE, TWO = "https://mirror.example/debian/", "http://mirror.example/debian-security"


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (ONE, {"debian": ONE[:-1]}),
        (f"{ONE} {TWO}", {"debian": ONE[:-1], "debian-security": TWO}),
        ("file:/srv/debian", {"debian": "file:/srv/debian"}),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_mirror_that_is_set_is_used_on_any_system(
    fake_apt: FakeApt,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    setting: str,
    found: dict[str, str],
    where: str,
) -> None:
    mirror.OS_RELEASE.write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    monkeypatch.chdir(tmp_path)
    if where == "file":
        Path("nitro.toml").write_text(f'debian_mirror = "{setting}"\n')
    else:
        monkeypatch.setenv("NITRO_DEBIAN_MIRROR", setting)
    assert mirror.archives() == found
    assert fake_apt.calls == []


@pytest.mark.parametrize(
    "setting", ["mirror.example/debian", "ftp://mirror.example/", "http://[", "a b c", "http://"]
)
def test_a_setting_that_is_no_address_is_named(
    fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("NITRO_DEBIAN_MIRROR", setting)
    with pytest.raises(InputError, match="NITRO_DEBIAN_MIRROR"):
        mirror.archives()
