"""What packages hold: links that scripts offer, files, programs, and how these are run."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nitro.arch import X86_64
from nitro.debian import Tree, alternatives, chroot
from nitro.debian import keyring as keys
from nitro.debian import scripts as package_scripts
from nitro.debian.tree import locate
from nitro.errors import NitroError
from tests.said import error_text
from tests.transcripts import compare

from .conftest import ONE, TWO, MakePackage

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

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
    f"{_U} --install /a a /b 1 --slave /c c /d # --slave /e e /f",
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
    torn = gzip.compress(gzip.decompress(packed)[:1024], mtime=0)
    debs = {
        "whole": whole,
        "a wrong sum": _ar((b"data.tar.gz", torn[:-8] + bytes(4) + torn[-4:])),
        "a torn archive": _ar((b"data.tar.gz", torn)),
        "a torn stream": _ar((b"data.tar.gz", torn[:-9])),
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
            text += f"{name}\n{error_text(error, tmp_path)}"

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
                    text += error_text(error, tmp_path)
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
