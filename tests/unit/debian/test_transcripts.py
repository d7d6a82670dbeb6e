"""Debian's side of an image: what scripts offer, what apt is asked and answers, what locks hold."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.arch import X86_64
from nitro.debian import Lock, Package, Tree, Wanted, alternatives, chroot, fetch, mirror, names
from nitro.debian import keyring as keys
from nitro.debian import scripts as package_scripts
from nitro.debian.apt import AptRoot
from nitro.debian.tree import locate
from nitro.errors import NitroError
from nitro.progress import Stage
from tests.transcripts import compare

from .conftest import FakeApt, MakePackage

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
ONE = Package("one", "1.0", "amd64", "debian", "pool/one_1.0_amd64.deb", 3, "a" * 64)
TWO = replace(ONE, name="two", archive="debian-security", sha256="b" * 64)


def _said(error: NitroError, folder: Path | str = "/nowhere") -> str:
    lines = f"  {type(error).__name__}: {error.what}\n    {error.hint}\n"
    return lines.replace(f"{folder}/", "").replace(str(folder), ".")


_U = "update-alternatives"
SCRIPTS = (
    f"{_U} --install /usr/bin/a a /usr/bin/a1 10",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 -10",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 1000000000",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 999999999",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 x",
    f"{_U} --install /usr/bin/a a /usr/bin/a1",
    f"{_U} --remove a /usr/bin/a1",
    f"{_U} --force --install /usr/bin/a a /usr/bin/a1 10 more --slave /m m /n",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 10 --slave /m m /n --slave /o o /p x --slave /q q",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 10 --slave /m m",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 10 --slave m m /n --slave /k k /l",
    f"{_U} --install /usr/bin/a a /usr/bin/a1 10 --slave $none m /n --slave /k k /l",
    f"{_U} --install usr/bin/a a /usr/bin/a1 10",
    f"{_U} --install /usr/../a a /usr/bin/a1 10",
    f"{_U} --install /usr/./a a /usr/bin/a1 10",
    f"{_U} --install /usr/.a a /usr/bin/a1 10",
    f"{_U} --install /usr/a a/b /usr/bin/a1 10",
    f"{_U} --install /usr/a .. /usr/bin/a1 10",
    f"{_U} --install /usr/a ... /usr/bin/a1 10",
    f"{_U} --install /usr/a a usr/bin/a1 10",
    f"{_U} --install /a/ a /usr/bin/a1 10",
    f"x-{_U} --install /a a /b 1; {_U} --install /c c /d 2 && {_U} --install /e e /f 3 | x",
    f"# {_U} --install /a a /b 1",
    f"  # {_U} --install /a a /b 1",
    f"{_U} --install /a a /b 1 # {_U} --install /c c /d 2",
    f"{_U} --install '/a",
    f"{_U} \\\n --install /a a \\\n /b 1",
    f"{_U}--install /a a /b 1",
    f"x=1\n{_U} --install /a$x a$x /b${{x}}c $x",
    f"x='a b'\n{_U} --install /$x $x /b 1",
    f"x=1\nx=$(date)\n{_U} --install /a$x a /b 1",
    f"x=1\nx=`date`\n{_U} --install /a$x a /b 1",
    f"x=1\nx=2\n{_U} --install /a$x a /b 1",
    f"x=1\ny=$x$x\n{_U} --install /a$y a /b 1",
    f"x=$none\n{_U} --install /a$x a /b 1",
    f"  x=1\n{_U} --install /a$x a /b 1",
    f"x=\n{_U} --install /a$x a /b 1",
    f"for x in a b; do\n{_U} --install /$x $x /b 1\ndone",
    f"for x in a b\ndo\n{_U} --install /$x $x /b 1\ndone",
    f"for x in a b; do {_U} --install /$x $x /b 1; done",
    f"for x in 'a b' c; do\n{_U} --install /$x $x /b 1\ndone",
    f"for x in $none a; do\n{_U} --install /$x $x /b 1\ndone",
    f"y='a b'\nfor x in $y c; do\n{_U} --install /$x $x /b 1\ndone",
    f"for x in a b; do\nfor y in 1 2; do\n{_U} --install /$x$y $x$y /b $y\ndone\ndone",
    f"for x in $(ls); do\n{_U} --install /$x a /b 1\ndone",
    f"for x in {' '.join(f'n{n}' for n in range(199))}; do\n{_U} --install /$x $x /b 1\ndone",
    f"for x in {' '.join(f'n{n}' for n in range(201))}; do\n{_U} --install /$x $x /b 1\ndone",
    f"{_U} --install /{'n' * 200} a /b 1",
    f"{_U} --install /{'n' * 201} a /b 1",
    f"{_U} --install /a {'n' * 200} /b 1",
    f"{_U} --install /a {'n' * 201} /b 1",
    f"{_U} --install {('/' + 'n' * 99) * 5} a /b 1",
    f"{_U} --install {('/' + 'n' * 99) * 5}x a /b 1",
    f"{_U} --install /{'é' * 100} a /b 1",
    f"{_U} --install /{'é' * 101} a /b 1",
    f"x={'n' * 50}\nx=$x$x$x\nx=$x$x$x$x$x$x$x\n{_U} --install /a a /b 1 --slave /$x b /c",
    "",
)


def test_offers_of_scripts() -> None:
    text = ""
    for script in SCRIPTS:
        text += f"{script[:160]!r}\n"
        found = alternatives.offered(script)
        for one in found[:1] + found[-2:]:
            slaves = " ".join(f"{s.path}|{s.name}|{s.target}" for s in one.slaves)
            link = f"{one.link.path[:60]}|{one.link.name[:60]}|{one.link.target}"
            text += f"  {len(found)}: {link} {one.priority} {slaves}\n"
    compare(HERE / "offers.txt", text)


def test_long_values_are_cut() -> None:
    """Of a variable that names itself; what is behind is as good as not there."""
    value = "n" * 5000
    words = f"--install /a a /b 1 --slave /b b /c{'$x' * 0}"
    script = f"x={value}\ny=$x,$x,end\n{_U} {words}\n"
    assert len(alternatives.offered(script)) == 1
    long = "\n".join(["x=ab", *["x=$x$x"] * 40, f"{_U} --install /a a /b 1"])
    assert [one.link.name for one in alternatives.offered(long)] == ["a"]


def _made(root: Path) -> str:
    found = sorted(root.rglob("*"))
    lines = []
    for path in found:
        kind = f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else "file"
        lines.append(f"  /{path.relative_to(root)} {kind}\n")
    return "".join(lines)


def test_links_of_scripts(tmp_path: Path) -> None:
    cases: dict[str, list[str]] = {
        "the highest wins": [
            f"{_U} --install /usr/bin/a a /usr/bin/one 1\n"
            f"{_U} --install /usr/bin/a a /usr/bin/two 2",
            f"{_U} --install /usr/bin/a a /usr/bin/dir 2",
        ],
        "the first of two alike": [
            f"{_U} --install /usr/bin/a a /usr/bin/two 2",
            f"{_U} --install /usr/bin/a a /usr/bin/one 2",
        ],
        "one that is not there": [f"{_U} --install /usr/bin/a a /usr/bin/none 9"],
        "one that is there, and a higher one that is not": [
            f"{_U} --install /usr/bin/a a /usr/bin/none 9 --slave /usr/bin/b b /usr/bin/one",
            f"{_U} --install /usr/bin/a a /usr/bin/one 1 --slave /usr/bin/b b /usr/bin/none",
        ],
        "what follows": [f"{_U} --install /x/y/a a /usr/bin/one 1 --slave /z/b b /usr/bin/two"],
        "what is there stays": [f"{_U} --install /usr/bin/one a /usr/bin/two 1"],
        "through a link": [f"{_U} --install /bin/a a /bin/one 1"],
        "a file in the way": [f"{_U} --install /usr/bin/one/a a /usr/bin/two 1"],
        "a link to nothing in the way": [f"{_U} --install /dead/a a /usr/bin/two 1"],
        "below a link to nothing": [f"{_U} --install /dead/x/a a /usr/bin/two 1"],
    }
    text = ""
    for number, (name, scripts) in enumerate(cases.items()):
        root = tmp_path / str(number)
        (root / "usr/bin/dir").mkdir(parents=True)
        for file in ("one", "two"):
            (root / "usr/bin" / file).touch()
        (root / "bin").symlink_to("usr/bin")
        (root / "dead").symlink_to("none")
        alternatives.add(root, scripts)
        text += f"{name}\n{_made(root)}"
    compare(HERE / "links.txt", text)


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
                text += _said(error, tmp_path)
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
                text += f"{name}\n{_said(error, tmp_path)}".replace(package.sha256, "DIGEST")
            if name == "all":
                again = fetch.download(wanted, stage)
                text += f"  again: {[one.name for one in again] == [one.name for one in found]}\n"
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
        text += f"\n{_said(error, tmp_path)}"
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
            said = _said(error, tmp_path)
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
            text += f"{name}\n{_said(error)}"

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


def _ar(*members: tuple[bytes, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members:
        head = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8)
        out += head + str(len(content)).encode().ljust(10) + b"`\n" + content
        out += b"\n" * (len(content) % 2)
    return out


def test_files_of_packages() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as data:
        for number in range(6):
            link = tarfile.TarInfo(f"./usr/l{number}")
            link.type, link.linkname = tarfile.SYMTYPE, f"l{number - 1}" if number else "../keys"
            data.addfile(link)
        folder = tarfile.TarInfo("./etc")
        folder.type = tarfile.DIRTYPE
        data.addfile(folder)
        keys_file = tarfile.TarInfo("./usr/../keys")
        keys_file.size = 4
        data.addfile(keys_file, io.BytesIO(b"keys"))
        plain = tarfile.TarInfo("usr/k")
        plain.size = 5
        data.addfile(plain, io.BytesIO(b"plain"))
        empty = tarfile.TarInfo("usr/empty")
        data.addfile(empty, io.BytesIO())
        for number in range(6):
            link = tarfile.TarInfo(f"./usr/m{number}")
            link.type, link.linkname = tarfile.SYMTYPE, f"m{number - 1}" if number else "k"
            data.addfile(link)
    packed = out.getvalue()
    whole = _ar((b"debian-binary", b"2.0"), (b"control.tar.xz", b"even"), (b"data.tar.gz", packed))
    cut = whole.index(b"data.tar.gz")
    debs = {
        "whole": whole,
        "no data": _ar((b"debian-binary", b"2.0"), (b"control.tar", b"x")),
        "no ar": b"!<arch>",
        "another": b"!<arch>x" + whole[8:],
        "cut in the data": whole[:-9],
        "cut in the head": whole[: cut + 59],
        "cut behind the head": whole[: cut + 60],
        "a negative size": whole[:56] + b"-1        " + whole[66:],
        "no size": whole[:56] + b"x         " + whole[66:],
        "no tar": _ar((b"data.tar", b"text" * 200)),
        "nothing": b"",
    }
    text = ""
    paths = ["/usr/k", "/usr/empty", "/etc", "/none", "usr/k", "/usr/../keys", "/keys"]
    paths += [f"/usr/m{number}" for number in range(6)] + ["/usr/l0"]
    for name, deb in debs.items():
        for path in paths if name == "whole" else paths[:1]:
            try:
                text += f"{name} {path}: {keys.file_of(deb, path)!r}\n"
            except NitroError as error:
                what = error.what.partition(":")[0]
                text += f"{name} {path}: {type(error).__name__} {what} {error.hint}\n"
    compare(HERE / "debs.txt", text)


def test_trees(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for path in (
        "usr/bin/a",
        "usr/sbin/b",
        "usr/libexec/c",
        "usr/games/d",
        "usr/lib/a",
        "usr/bin/x/y",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "usr/sbin/a").touch()
    (root / "usr/bin/abs").symlink_to("/usr/games/d")
    (root / "usr/bin/rel").symlink_to("../sbin/b")
    (root / "usr/bin/dead").symlink_to("none")
    for number in range(45):
        target = "a" if not number else f"s{number - 1}"
        (root / f"usr/bin/s{number}").symlink_to(target)
    tree = Tree(root, (ONE, TWO, ONE, TWO))
    text = ""

    def ask(name: str, one: Callable[[], object]) -> None:
        nonlocal text
        try:
            text += f"{name}: {one()}\n".replace(f"{tmp_path}/", "")
        except NitroError as error:
            text += f"{name}\n{_said(error, tmp_path)}"

    programs = ("a", "b", "c", "d", "abs", "rel", "dead", "x", "none", "s14", "s15", "s16")
    for _ in range(2):
        for name in programs:
            ask(f"program {name}", lambda name=name: tree.program(name))  # type: ignore[misc]
            ask(f"path {name}", lambda name=name: tree.path(f"/usr/bin/{name}"))  # type: ignore[misc]
        loader = root / f"usr{X86_64.loader}"
        loader.parent.mkdir(parents=True, exist_ok=True)
        loader.touch()
    for path in (
        "/usr/../../usr/bin/rel",
        "/usr/bin/abs",
        "/",
        "/..",
        "/usr/bin/dead",
        "/usr/bin/a/b",
    ):
        ask(f"locate {path}", lambda path=path: locate(root, path))  # type: ignore[misc]
    for number in (38, 39, 40, 41):
        ask(f"locate s{number}", lambda n=number: locate(root, f"/usr/bin/s{n}"))  # type: ignore[misc]
    compare(HERE / "trees.txt", text)


def test_what_is_run_inside_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    outputs = {
        "well": (0, "first\nlast\n"),
        "badly": (2, "one\ntwo\nthree\nfour\n\n"),
        "nothing said": (1, ""),
        "no namespaces": (1, "unshare: unshare failed: Operation not permitted"),
        "no mount": (1, "mount: /mnt: permission denied"),
        "for ever": (None, ""),
    }
    for name, (code, said) in outputs.items():

        def run(argv: Sequence[str], *, code: Any = code, said: Any = said, **more: Any) -> Any:
            nonlocal text
            shown = {key: str(value) for key, value in more.items()}
            words = [word for word in argv if "\n" not in word]
            text += f"  {words} {shown}\n".replace(f"{tmp_path}/", "")
            if code is None:
                raise subprocess.TimeoutExpired("x", 1)
            return subprocess.CompletedProcess(argv, code, said)

        with monkeypatch.context() as patched:
            patched.setattr("nitro.debian.chroot.subprocess.run", run)
            trees = [Tree(tmp_path / "trees/a", ()), Tree(tmp_path / "trees/b", ())]
            text += f"{name}\n"
            for more in ({}, {"environment": {"A": "b", "TZ": "X"}, "timeout": 7.4}):
                try:
                    found = chroot.run(trees, ["cc", "-x"], tmp_path / "x/../f", **more)  # type: ignore[arg-type]
                    text += f"  {found!r}\n"
                except NitroError as error:
                    text += _said(error, tmp_path)
    compare(HERE / "inside.txt", text)


def test_what_scripts_make(make_package: MakePackage, tmp_path: Path) -> None:
    found: list[tuple[str, str]] = []
    words = (
        *(
            "adduser x",
            "mkdir /a",
            "install -d /b",
            "install -m 644 /b",
            "ln -s a b",
            "ln -sfn a b",
        ),
        *("ln a b", "# mkdir /a", "echo # chown", "chown x", "remkdir", "mkdirs", "exit 0", ""),
    )
    for number, script in enumerate(words):
        package = make_package(f"p{number}", {"f": ""}, postinst=script)
        deb = tmp_path / f"cache/debs/{package.name}_{package.sha256[:16]}.deb"
        deb.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "archive" / package.path).rename(deb)
        found.append((package.name, package.sha256))
    made = package_scripts.making([*found, *found, ("gone", "0" * 64)])
    shown = {word: f"p{number}" in made for number, word in enumerate(words)}
    text = "".join(f"{word!r}: {makes}\n" for word, makes in shown.items())
    compare(HERE / "scripts.txt", f"{text}{made}\n")
