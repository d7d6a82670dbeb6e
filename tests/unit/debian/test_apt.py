"""The private apt root: what apt is told, and what is made of its answers."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nitro.arch import X86_64
from nitro.debian import Package, Wanted
from nitro.debian.apt import AptRoot
from nitro.errors import InputError, NitroError
from tests.unit.cache_uses import used_kinds
from tests.unit.test_arch import ARM64

from .conftest import FakeApt

A, B = "a" * 64, "b" * 64
MAIN, SECURITY = "http://deb.example/debian", "http://deb.example/debian-security"


def listing(*lines: tuple[str, str, str]) -> str:
    """As `apt-get --print-uris` prints packages, with other lines around them."""
    uris = [f"'{uri}' {name} 7 SHA256:{digest}" for uri, name, digest in lines]
    return "\n".join(["Reading package lists...", *uris, ""])


def test_packages_are_read_from_what_apt_would_download(fake_apt: FakeApt) -> None:
    fake_apt.answers(
        "install",
        listing(
            (f"{MAIN}/pool/z.deb", "zlib1g_1%3a1.3-1_amd64.deb", A),
            (f"{SECURITY}/pool/c.deb", "curl_8.1+deb13u1_amd64.deb", B),
        ),
    )
    found = AptRoot.open("trixie", X86_64).resolve(Wanted(("zlib1g", "curl", "curl")))
    assert found == (
        Package("curl", "8.1+deb13u1", "amd64", "debian-security", "pool/c.deb", 7, B),
        Package("zlib1g", "1:1.3-1", "amd64", "debian", "pool/z.deb", 7, A),
    )
    assert fake_apt.calls[-1] == "-q install --yes --print-uris -t trixie -- curl zlib1g"


def test_the_lists_are_fetched_once_for_all_that_open_the_root_at_once(fake_apt: FakeApt) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(AptRoot.open, ["trixie"] * 4, [X86_64] * 4))
    assert [call.split()[0] for call in fake_apt.calls].count("update") == 1


def test_without_dependencies_exactly_the_named_packages_are_asked_for(fake_apt: FakeApt) -> None:
    fake_apt.answers("download", listing((f"{MAIN}/p/tzdata.deb", "tzdata_2026a_all.deb", A)))
    [package] = AptRoot.open("trixie", X86_64).resolve(Wanted(("tzdata",), closure=False))
    assert (package.name, package.architecture) == ("tzdata", "all")
    assert fake_apt.calls[-1] == "-q download --print-uris -t trixie -- tzdata"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ({"output": ""}, InputError, "Debian trixie has no package tool"),
        (
            {"error": "E: Unable to locate package tool\n", "code": 100},
            InputError,
            "Debian trixie has no package tool; check the name",
        ),
        (
            {"error": "W: slow\nE: Could not get lock\nE: more\n", "code": 100},
            NitroError,
            "apt could not read Debian trixie: Could not get lock; check that this machine",
        ),
        ({"code": 2}, NitroError, "apt could not read Debian trixie: no reason given"),
        (
            {"error": "E: Write error - write (28: No space left on device)\n", "code": 100},
            NitroError,
            "cache/apt/amd64/trixie: No space left on device",
        ),
        (
            {"output": listing(("http://elsewhere/p/tool.deb", "tool_1_amd64.deb", A))},
            NitroError,
            "apt chose tool_1_amd64.deb from an archive that nitro did not name",
        ),
    ],
)
def test_what_apt_cannot_do_is_explained(
    fake_apt: FakeApt, answer: dict[str, str], error: type[NitroError], message: str
) -> None:
    fake_apt.answers("install", **answer)  # type: ignore[arg-type]
    with pytest.raises(NitroError, match=message) as caught:
        AptRoot.open("trixie", X86_64).resolve(Wanted(("tool",)))
    assert type(caught.value) is error


def test_lists_are_fetched_again_when_they_are_an_hour_old(fake_apt: FakeApt) -> None:
    root = AptRoot.open("trixie", X86_64)
    AptRoot.open("trixie", X86_64)
    assert fake_apt.calls.count("update -q") == 1
    os.utime(root.root / "updated", (0, 0))
    AptRoot.open("trixie", X86_64)
    assert fake_apt.calls.count("update -q") == 2


def test_lists_that_could_not_be_fetched_are_not_taken_for_fresh(fake_apt: FakeApt) -> None:
    fake_apt.answers("update", error="E: no network\n", code=100)
    for _ in range(2):
        with pytest.raises(NitroError, match="no network"):
            AptRoot.open("trixie", X86_64)
    assert fake_apt.calls.count("update -q") == 2


def sources(root: AptRoot) -> str:
    return (root.root / "sources/debian.sources").read_text()


def test_backports_build_upon_their_release_and_its_security_fixes(fake_apt: FakeApt) -> None:
    text = sources(AptRoot.open("trixie-backports", X86_64))
    assert f"URIs: {MAIN}\nSuites: trixie trixie-updates trixie-backports\n" in text
    assert f"URIs: {SECURITY}\nSuites: trixie-security\n" in text


def test_an_archive_that_this_machine_does_not_have_is_left_out(fake_apt: FakeApt) -> None:
    fake_apt.answers("indextargets", "trixie http://deb.example/debian/\n")
    text = sources(AptRoot.open("trixie", X86_64))
    assert "Suites: trixie trixie-updates\n" in text
    assert "security" not in text


def test_each_architecture_has_a_root_of_its_own(fake_apt: FakeApt) -> None:
    ours, other = AptRoot.open("trixie", X86_64), AptRoot.open("trixie", ARM64)
    assert ours.root != other.root
    for root, name in ((ours, "amd64"), (other, "arm64")):
        assert f"\nArchitectures: {name}\n" in sources(root)
        assert f'APT::Architectures {{ "{name}"; }};' in (root.root / "apt.conf").read_text()


@pytest.mark.parametrize(("age", "fetched"), [(3500, 1), (3700, 2)])
def test_lists_are_fresh_for_an_hour(fake_apt: FakeApt, age: int, fetched: int) -> None:
    root = AptRoot.open("trixie", X86_64)
    then = time.time() - age
    os.utime(root.root / "updated", (then, then))
    AptRoot.open("trixie", X86_64)
    assert fake_apt.calls.count("update -q") == fetched


def test_apt_has_its_whole_configuration_when_it_first_runs(fake_apt: FakeApt) -> None:
    """And sees nothing of this machine's own: neither its sources nor its preferences."""
    root = AptRoot.open("trixie", X86_64).root
    configuration = (root / "apt.conf").read_text()
    for part in ("main", "parts", "preferencesparts", "sourcelist"):
        assert f'Dir::Etc::{part} "/dev/null";' in configuration
    for folder in ("state/lists/partial", "cache/archives/partial"):
        assert (root / folder).is_dir()
    assert (root / "state/status").read_text() == ""
    assert not list(root.rglob(".*"))


def test_its_use_is_noted(fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch) -> None:
    AptRoot.open("trixie", X86_64)
    assert used_kinds(lambda: AptRoot.open("trixie", X86_64), monkeypatch) == {"apt"}
