"""What apt is asked and answers, what is downloaded, and what locks hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nitro.arch import X86_64
from nitro.debian import Lock, Wanted, fetch, mirror, names
from nitro.debian import keyring as keys
from nitro.debian.apt import AptRoot
from nitro.errors import NitroError
from nitro.progress import Stage
from tests.said import error_text
from tests.transcripts import compare
from tests.unit.cache_uses import used_kinds

from .conftest import ONE, TWO, FakeApt

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

SUITES = ("trixie", "trixie-backports", "bookworm")

URI = "'http://deb.example/{}' {} 7 SHA256:{}\n"


def _listing(*names: str, base: str = "debian/pool/main") -> str:
    return "".join(
        URI.format(f"{base}/{name}.deb", f"{name}_1%3a2.0_amd64.deb", f"{number}" * 64)
        for number, name in enumerate(names)
    )


def test_what_apt_is_asked(
    fake_apt: FakeApt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEYRING", tmp_path)
    text = ""
    now = [1_000_000.0]
    monkeypatch.setattr("nitro.debian.apt.time.time", lambda: now[0])
    fake_apt.answers("update")
    security = _listing("s", base="debian-security/pool")
    other = _listing("o").replace("deb.example", "other.example")
    answers: dict[str, dict[str, Any]] = {
        "two": {"output": f"Reading lists\n{_listing('b', 'a')}{security}more\n"},
        "one that is missing": {"output": _listing("a")},
        "an archive of nobody": {"output": other},
        "an unknown one": {
            "error": "E: Unable to locate package a\nE: Unable to locate package b\n",
            "code": 100,
        },
        "a suite that is not there": {"error": "E: x does not have a Release file.", "code": 1},
        "a full disk": {"error": "E: write: No space left on device", "code": 1},
        "an error": {"error": "W: first\nE:  second \nE: third\n", "code": 1},
        "no reason": {"error": "what?\n", "code": 1},
    }
    for suite in SUITES:
        root = AptRoot.open(suite, X86_64)
        text += f"{suite} {root.root.relative_to(tmp_path)}\n"
        for name in ("apt.conf", "sources/debian.sources"):
            text += f"{name}\n{(root.root / name).read_text()}\n"
        text += f"{sorted(str(p.relative_to(root.root)) for p in root.root.rglob('*'))}\n"
    for command, closure in (("install", True), ("download", False)):
        for name, answer in answers.items():
            fake_apt.answers(command, **answer)
            text += f"{command} {name}\n"
            try:
                packages = root.resolve(Wanted(("b", "a", "b"), "bookworm", closure))
                text += "".join(f"  {json.dumps(one.to_json())}\n" for one in packages)
            except NitroError as error:
                text += error_text(error, tmp_path)
    stamp = root.root / "updated"
    for age in (3599, 3600, 3601):
        os.utime(stamp, (now[0] - age, now[0] - age))
        before = len(fake_apt.calls)
        AptRoot.open("bookworm", X86_64)
        text += f"{age} seconds old: {fake_apt.calls[before:]}\n"
        os.utime(stamp, (now[0], now[0]))
    (root.root / "sources/debian.sources").write_text("another mirror")
    before = len(fake_apt.calls)
    AptRoot.open("bookworm", X86_64)
    text += f"another mirror: {fake_apt.calls[before:]}\n"
    text += "\n".join((*fake_apt.calls, *sorted(fake_apt.places))) + "\n"
    compare(HERE / "apt.txt", text.replace(f"{tmp_path}", "HOME"))


HELPERS = {
    "all": 'while [ $# -gt 0 ]; do case $1 in file:*) cp "${1#file:}" "$2";; esac; shift; done',
    "nothing, in peace": "exit 0",
    "other bytes": 'for word; do case $word in /*) echo x >"$word";; esac; done',
    "404": "echo 'Err:1 http://x 404 Not Found' >&2; exit 100",
    "a full disk": "echo 'No space left on device' >&2; exit 100",
    "errors": "printf 'W: x\\nErr:1 first\\nE: second\\n' >&2; exit 100",
    "an error": "printf 'E: second\\nErr:1 first\\n' >&2; exit 100",
    "no reason": "echo what >&2; exit 1",
}


class _Shown(Stage):
    """Keeps the progress, in packages of a size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self.shown: list[tuple[float, float]] = []

    def progress(self, done: float, total: float | None = None, unit: str = "bytes") -> None:
        self.shown.append((done / self._size, (total or 0) / self._size))


def test_what_is_downloaded(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    many = []
    for number in range(33):
        content = b"%04d" % number
        (pool / f"n{number:02}").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        many.append(replace(ONE, name=f"n{number:02}", path=f"n{number:02}", size=4, sha256=digest))
    package = many[0]
    helper = tmp_path / "apt-helper"
    monkeypatch.setattr(fetch, "_HELPER", str(helper))
    text = ""
    for name, script in HELPERS.items():
        helper.write_text(f'#!/bin/sh\necho "$LC_ALL $@" >>{tmp_path}/log\n{script}\n')
        helper.chmod(0o755)
        for wanted in ([package], many if name == "all" else many[:2]):
            for deb in (tmp_path / "cache").glob("debs/*.deb"):
                deb.unlink()
            stage = _Shown(package.size)
            try:
                found = fetch.download(wanted, stage)
                text += f"{name}: {len(found)} {found[-1].name[:4]} {stage.shown}\n"
            except NitroError as error:
                text += f"{name}\n{error_text(error, tmp_path)}".replace(package.sha256, "DIGEST")
            if name == "all":
                again = fetch.download(wanted, stage)
                text += f"  again: {[one.name for one in again] == [one.name for one in found]}\n"
                later = partial(fetch.download, wanted, stage)
                text += f"  used: {used_kinds(later, monkeypatch)}\n"
            kept = sorted(path.name for path in (tmp_path / "cache/debs").iterdir())
            text += f"  {len(kept)} kept: {kept[:2]}\n".replace(package.sha256[:16], "DIGEST")
    calls = []
    for line in (tmp_path / "log").read_text().splitlines():
        words = [word if word[:1] != "/" else "TARGET" for word in line.split()]
        calls.append(" ".join(words[:9]) + f" … {len(words)} words")
    text += (
        "\n".join(sorted(calls)).replace(f"file:{pool}", "POOL").replace(package.sha256, "DIGEST")
    )
    try:
        fetch.download([TWO], Stage())
    except NitroError as error:
        text += f"\n{error_text(error, tmp_path)}"
    compare(HERE / "downloads.txt", text)


def test_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    wanted = Wanted(("two", "one"))
    base = Lock(tmp_path / "base.lock")
    lock = Lock(tmp_path / "folder/own.lock", base)
    text = f"{base.get(wanted)} {lock.get(wanted)}\n"
    lock.put(wanted, (ONE,))
    lock.put(Wanted(("a",), "bookworm", closure=False), (TWO, ONE))
    text += lock.path.read_text()
    text += f"{[one.name for one in lock.get(wanted) or ()]}\n"
    base.put(wanted, (TWO,))
    text += f"base has it: {[one.name for one in lock.get(wanted) or ()]}\n"
    lock.put(wanted, (ONE, TWO))
    text += lock.path.read_text()
    text += f"above the base: {[one.name for one in lock.get(wanted) or ()]}\n"
    base.put(wanted, (ONE,))
    text += f"the base moved on: {[one.name for one in lock.get(wanted) or ()]}\n"
    entry = {"packages": [ONE.to_json()], "supersedes": None}
    key = wanted.key
    documents: dict[str, Any] = {
        "as it is": {"version": 1, "sets": {key: entry}},
        "another version": {"version": 2, "sets": {}},
        "no version": {"sets": {}},
        "a list": [],
        "no sets": {"version": 1},
        "sets as a list": {"version": 1, "sets": []},
        "no packages": {"version": 1, "sets": {key: {"supersedes": None}}},
        "nothing superseded": {"version": 1, "sets": {key: {"packages": []}}},
        "a number": {"version": 1, "sets": {key: 1}},
        "packages of numbers": {"version": 1, "sets": {key: {**entry, "packages": [1]}}},
        "a list as an entry": {"version": 1, "sets": {key: []}},
        "null": {"version": 1, "sets": {key: None}},
    }
    for field in ONE.to_json():
        less = {name: value for name, value in ONE.to_json().items() if name != field}
        for package in (less, {**less, field: True}, {**less, field: None}):
            documents[f"{field} {package.get(field, 'missing')}"] = {
                "version": 1,
                "sets": {key: {**entry, "packages": [package]}},
            }
    more = {**ONE.to_json(), "more": 1}
    documents["a field more"] = {"version": 1, "sets": {key: {**entry, "packages": [more]}}}
    raws = {name: json.dumps(one) for name, one in documents.items()}
    raws |= {"no JSON": "{", "nested": "[" * 100_000, "no text": "\udcff"}
    for name, raw in raws.items():
        base.path.write_bytes(raw.encode(errors="surrogateescape"))
        try:
            text += f"{name}: {base.get(wanted)}\n"
        except NitroError as error:
            said = error_text(error, tmp_path)
            text += f"{name}\n{said if ': not a lock' not in said else '  no lock file'}\n"
    compare(HERE / "locks.txt", text)


RELEASES = {
    "debian": 'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian"\n',
    "quoted": "ID='debian'\nVERSION_CODENAME=\"trixie\"\n",
    "no code name": "ID=debian\nPRETTY_NAME=sid\n",
    "another": "ID=fedora\nVERSION_CODENAME=x\n",
    "like debian": 'ID=mint\nID_LIKE="x debian"\n',
    "like nothing": "ID=x\nID_LIKE=y\nPRETTY_NAME=X\n",
    "none": "",
}

SETTINGS = (
    None,
    "http://a",
    "https://a/debian/ file:/b",
    "file:///c http://d/ http://e",
    "ftp://a",
    "http:",
    "file:",
    "/x",
    "http://[",
    "http://a x",
)


def test_mirrors(fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""

    def ask(name: str) -> None:
        nonlocal text
        mirror.archives.cache_clear()
        try:
            text += f"{name}: {mirror.archives()}\n"
        except NitroError as error:
            text += f"{name}\n{error_text(error)}"

    monkeypatch.delenv("NITRO_DEBIAN_MIRROR", raising=False)
    missing = {"both": ("apt-get", "dpkg-deb"), "apt": ("apt-get",), "dpkg": ("dpkg-deb",)}
    for name, release in RELEASES.items():
        mirror.OS_RELEASE.write_text(release)
        ask(name)
        for what, programs in missing.items():
            found: Callable[[str], str | None]
            found = lambda one, gone=programs: None if one in gone else one  # type: ignore[misc] # noqa: E731
            with monkeypatch.context() as patched:
                patched.setattr("nitro.debian.mirror.shutil.which", found)
                ask(f"{name} without {what}")
    mirror.OS_RELEASE.write_text(RELEASES["debian"])
    for listing in (
        "trixie http://a/\ntrixie http://b\ntrixie-security http://c/\n",
        "stable http://a/\nstable-security http://b/\n",
        "trixie-security http://a\n",
        "bookworm http://a\n",
        "trixie\n",
        "",
    ):
        fake_apt.answers("indextargets", listing)
        ask(repr(listing))
    for error in ("trouble\n", ""):
        fake_apt.answers("indextargets", error=error, code=3)
        ask(f"an error {error!r}")
    for setting in SETTINGS[1:]:
        monkeypatch.setenv("NITRO_DEBIAN_MIRROR", setting or "")
        ask(f"set to {setting}")
    text += "\n".join(sorted(set(fake_apt.calls))) + "\n"
    compare(HERE / "mirrors.txt", text)


SONAMES = (
    *("libfoo.so.3", "libfoo2.so.3", "libfoo.so", "libfoo2.so", "libFoo_Bar.so.1.2.3"),
    *("libz.so.1", "libcrypto.so.3", "libicuuc.so.76", "libstdc++.so.6", "libfoo-1.so.0"),
    *("ld-linux.so.2", "libx", "lib.so.1", "libfoo.so.1a", "libfoo.so.", "libfoo.so.1-2"),
)


def test_packages_of_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each library's candidates in order: what is found when the likelier ones are gone."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    program = tmp_path / "bin/apt-cache"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    root = tmp_path / "cache/apt/amd64/trixie"
    root.mkdir(parents=True)
    text = f"no lists: {names.package_of('libfoo.so.3', 'trixie', X86_64)}\n"
    (root / "apt.conf").touch()
    known = [
        *("libfoo3", "libfoo2-3", "libfoo", "libfoo2", "libfoo-bar1.2.3", "libfoo-bar1"),
        *("libfoo-bar", "zlib1g", "libz1", "libz", "libssl3", "libcrypto3", "libicu76", "libfoo-"),
        *("libstdc++6", "libfoo-1-0", "libfoo-1", "libfoo1a", "libx", "ld-linux2", "libicuuc76"),
    ]
    known += [f"{name}t64" for name in known]
    for soname in SONAMES:
        found: list[str] = []
        while len(found) < 12:
            left = " ".join(name for name in known if name not in found)
            program.write_text(
                f'#!/bin/sh\necho "$LC_ALL $APT_CONFIG $@" >{tmp_path}/log\necho {left}'
            )
            program.chmod(0o755)
            names._known.cache_clear()
            one = names.package_of(soname, "trixie", X86_64)
            if one is None:
                break
            found.append(one)
        text += f"{soname}: {' '.join(found)}\n"
    names._known.cache_clear()
    text += (tmp_path / "log").read_text().replace(f"{tmp_path}/", "")
    compare(HERE / "libraries.txt", text)
