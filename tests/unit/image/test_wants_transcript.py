"""What programs and kernels want: what is missing, left out, alike, and in which order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from nitro.debian import Tree
from nitro.image import missing, owners
from nitro.image.excluded import excluder
from nitro.image.libraries import Sysroot
from nitro.image.linux import grub, memory, modules, trace
from nitro.image.missing import Lack
from nitro.image.scripts import interpreters, needs_bash, package_line
from nitro.image.similar import similar_path
from nitro.recipe import Recipe
from tests.said import Said
from tests.transcripts import compare
from tests.unit.image import systems

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said(tmp_path)
    root = tmp_path / "tree"
    names = [f"usr/lib/app/{number}" for number in range(4)] + ["usr/lib/two/a", "usr/lib/two/b"]
    names += [f"usr/bin/{number}" for number in range(4)] + ["etc/app.conf", "usr/share/s/one.conf"]
    names += ["usr/share/t/two.conf", "usr/share/u/two.conf", "usr/share/doc/d/doc.conf"]
    names += ["usr/share/s/doc/inner.conf"]
    systems.write(root, dict.fromkeys(names, ""))
    (root / "usr/share/s/link.conf").symlink_to("one.conf")
    tree = Tree(root, ())
    monkeypatch.setattr("nitro.debian.package_of", lambda name, *_: KNOWN.get(name))
    recipe = Recipe.model_validate({"name": "x", "command": ("/x",), "packages": ("own",)})
    cases: dict[str, list[str]] = {
        "nothing": [],
        "two of a folder": ["/usr/lib/app/0", "/usr/lib/app/1"],
        "three of a folder": ["/usr/lib/app/2", "/usr/lib/app/0", "/usr/lib/app/1"],
        "four of a shared one": [f"/usr/bin/{number}" for number in range(4)],
        "a folder and its file": ["/usr/lib/two", "/usr/lib/two/a"],
        "shared folders": ["/usr", "/etc", "/", "/usr/lib/two/b"],
        "what nobody has": ["/none", "/usr/none"],
        "libraries": [
            "/lib/liba.so.1",
            "/x/libb.so.2",
            "/libown.so.1",
            "/libnone.so.1",
            "/liba.so",
        ],
        "configuration": [f"/etc/x/{name}.conf" for name in ("one", "two", "doc", "inner", "link")],
        "configuration of two": ["/etc/b/one.conf", "/etc/a/one.conf", "/var/one.conf"],
    }
    for name, sought in cases.items():
        for present in ((), ("liba.so.1",)):

            def found(sought: list[str] = sought, present: tuple[str, ...] = present) -> str:
                lack = missing.of_tree(recipe, sought, tree, present)
                return f"{bool(lack)} {lack} {lack.lines(recipe)} {lack.entries}"

            said(f"{name} {present}", found)
    said("without packages", lambda: missing.of_tree(recipe, cases["libraries"], None))
    pairs = [
        (("/a/b/c",), ("/a/b/d",)),
        (("/a/b/c/d",), ("/a/b/e/f",)),
        (("/usr/bin/a",), ("/usr/bin/b",)),
        (("/usr/lib/x86_64-linux-gnu/a",), ("/usr/lib/x86_64-linux-gnu/b",)),
        (("/usr/lib/x86_64-linux-gnu/q/a",), ("/usr/lib/x86_64-linux-gnu/q/b",)),
        (("/usr/lib/a-linux-b/c/x",), ("/usr/lib/a-linux-b/d/y",)),
        (("/app/a",), ("/app/b",)),
        (("/a/b/c", "/a/b/x/y"), ("/a/b/x/z",)),
        (("/a/b",), ("/a/b",)),
        (("/a/b",), ("/a/b/c",)),
        ((), ("/a",)),
    ]
    own = Recipe.model_validate(
        {
            "name": "x",
            "command": ("/x",),
            "files": [{"source": "own", "path": "/app/own"}, {"source": "/abs/file"}],
        }
    )
    for one, more in pairs:
        said(
            f"{one} and {more}", lambda a=one, b=more: missing.together(own, Lack(a), Lack(b)).files
        )
    both = missing.together(
        own,
        Lack((), ("pp", "qq"), (("/a", "/b"),)),
        Lack((), ("qq", "rr"), (("/a", "/b"), ("/c", "/d"))),
    )
    said("packages and copies", lambda: both)
    said("completed", lambda: missing.completed(own, both).model_dump_json(exclude_defaults=True))
    manifest = {"packages": [{"name": f"{n}", "sha256": n * 32} for n in ("own", "own-data", "ab")]}
    asked: list[str] = []

    def making(pairs: Iterable[tuple[str, str]]) -> list[str]:
        asked.extend(name for name, _ in pairs)
        return asked

    monkeypatch.setattr("nitro.image.missing.making", making)
    said("scripted", lambda: missing.scripted(recipe, manifest))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    asked.clear()
    said("hint", lambda: missing.scripts_hint(recipe, tmp_path / "manifest.json"))
    said("no hint", lambda: missing.scripts_hint(own, tmp_path / "manifest.json"))
    compare(HERE / "missing.txt", said.text)


KNOWN = {"liba.so.1": "liba1", "libb.so.2": "libb2", "libown.so.1": "own"}


def test_scripts_and_names(tmp_path: Path) -> None:
    said = Said(tmp_path)
    script = tmp_path / "script"
    for first in (
        *(
            b"#!/bin/sh",
            b"#! /bin/sh -e\n",
            b"#!/usr/bin/env python3\n",
            b"#!/usr/bin/env\n",
            b"#!\n",
        ),
        *(
            b"#!/usr/bin/env -S A=b python3 -u\n",
            b"#!/x/env perl",
            b"text",
            b"",
            b"#!/bin/envx y",
            b"#!/caf\xe9 x\n",
        ),
        b"#!" + b"x" * 300,
    ):
        script.write_bytes(first)
        said(f"{first[:40]!r}", lambda: [word[:260] for word in interpreters(script)])
    recipe = Recipe.model_validate({"name": "x", "command": ("/x",), "packages": ("own",)})
    for word in ("/bin/bash", "python3", "/usr/bin/node", "lua", "php"):
        said(word, lambda word=word: package_line(word, recipe))
    systems.write(
        tmp_path, {"b.sh": "#!/bin/bash\n", "s.sh": "#!/bin/sh\n", "d/b.sh": "#!/bin/bash\n"}
    )
    for keys in (
        {"programs": ["b.sh"]},
        {"programs": ["s.sh"]},
        {"programs": ["/b.sh"], "command": ("/x",)},
        {"files": [{"source": "d", "path": "/d"}], "command": ("/d/b.sh",)},
        {"files": [{"source": "d", "path": "/d"}], "command": ("/e/b.sh",)},
        {"files": [{"source": "b.sh", "path": "/run"}], "command": ("/run",)},
        {"files": [{"source": "/d", "path": "/d"}], "command": ("/d/b.sh",)},
        {"programs": ["b.sh"], "from": "docker://x"},
        {"programs": ["none"]},
        {"programs": [str(tmp_path / "b.sh")]},
        {"files": [{"source": str(tmp_path / "d"), "path": "/d"}], "command": ("/d/b.sh",)},
    ):
        document = {"name": "x", "folder": tmp_path, **keys}
        said(
            str(keys).replace(f"{tmp_path}", ""),
            lambda document=document: needs_bash(Recipe.model_validate(document)),
        )
    root = tmp_path / "root"
    names = [
        "usr/bin/php8.2",
        "usr/bin/php8.4",
        "usr/bin/phpx",
        "usr/sbin/squid-gnutls",
        "usr/sbin/n",
    ]
    names += ["usr/bin/redis-cli", "usr/bin/redis-server", "opt/x/bin/tool", "usr/share/doc/tool"]
    names += ["usr/lib/one.so", "usr/lib/deep/one.so", "etc/only.conf", "usr/bin/g*"]
    systems.write(root, dict.fromkeys(names, ""))
    for path in (
        *("/usr/bin/php", "/usr/sbin/squid", "/usr/bin/n", "/usr/bin/redis", "/usr/bin/tool"),
        *("/usr/lib/only", "/none/one.so", "/none/bin/n", "/etc/only", "/", "/n", "/usr/bin/php/"),
        *("/etc/x/n", "/usr/bin/g*", "/usr/bin/g", "/usr/share/tool", "/none/only.conf"),
    ):
        for everywhere in (True, False):
            said(
                f"{path} {everywhere}",
                lambda p=path, e=everywhere: similar_path(Sysroot(root), p, everywhere=e),
            )
    compare(HERE / "scripts.txt", said.text)


def test_what_is_excluded(tmp_path: Path) -> None:
    said = Said(tmp_path)
    recipe_folder = tmp_path / "recipe"
    names = [
        "a.txt",
        "b.log",
        "sub/a.txt",
        "sub/b.log",
        "sub/keep/c",
        ".nitroignore",
        "sub/.nitroignore",
    ]
    systems.write(recipe_folder, dict.fromkeys(names, ""))
    systems.write(tmp_path / "other", {"a.txt": "", "sub/a.txt": "", ".nitroignore": "a.txt\n"})
    (recipe_folder / "sub/link").symlink_to("keep")

    def shown(folder: Path, patterns: tuple[str, ...], own: str = "", inner: str = "") -> list[str]:
        (recipe_folder / ".nitroignore").write_text(own)
        (recipe_folder / "sub/.nitroignore").write_text(inner)
        document = {"name": "x", "command": ("/x",), "folder": recipe_folder, "exclude": patterns}
        excluded = excluder(folder, Recipe.model_validate(document))
        return [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if excluded(p)]

    sub = recipe_folder / "sub"
    for patterns in (
        (),
        ("*.log",),
        ("/a.txt",),
        ("sub/",),
        ("keep/",),
        ("link/",),
        ("!x", "a.txt"),
    ):
        for folder in (recipe_folder, sub, tmp_path / "other"):
            said(f"{patterns} in {folder.name}", lambda f=folder, p=patterns: shown(f, p))
    for own, inner in (("*.log\n", ""), ("", "*.log\n"), ("/a.txt\n", "/a.txt\n"), ("sub\n", "")):
        said(f"{own!r} {inner!r}", lambda o=own, i=inner: shown(sub, (), o, i))
    said("no pattern", lambda: shown(sub, ("[",)))
    said("!", lambda: shown(sub, ("!",)))
    compare(HERE / "excluded.txt", said.text)


CONSOLE = r"""
nitro-trace openat(AT_FDCWD, "/etc/a", O_RDONLY) = -1 ENOENT (No such file or directory)
nitro-trace openat(AT_FDCWD, "/etc/a", O_RDONLY) = -1 ENOENT (again)
nitro-trace access("/etc/b", R_OK) = -1 ENOTDIR (Not a directory)
nitro-trace access("/etc/c", R_OK) = -1 EACCES (Permission denied)
nitro-trace access("relative", R_OK) = -1 ENOENT (x)
 prefix nitro-trace stat("/etc/with \"quotes\" \\ \303\244 \351 \0011 \t", 0x1) = -1 ENOENT (x)
nitro-tracestat("/etc/d", 0x1) = -1 ENOENT (x)
other access("/etc/e", R_OK) = -1 ENOENT (x)
nitro-trace access("/etc/f", R_OK) = 0
nitro-trace access("/etc/ld.so.cache", R_OK) = -1 ENOENT (x)
nitro-trace access("/proc/self/x", R_OK) = -1 ENOENT (x)
nitro-trace access("/lib/glibc-hwcaps/x/liba.so", R_OK) = -1 ENOENT (x)
nitro-trace access("/lib/tls/liba.so", R_OK) = -1 ENOENT (x)
nitro-trace access("/usr/share/locale/de/LC_MESSAGES/x", R_OK) = -1 ENOENT (x)
nitro-trace rename("/etc/g", "/etc/h") = -1 ENOENTX (x)
nitro-trace execve("/usr/bin/x", ["x"], 0x1) = -1 ENOENT (x)
"""


def test_kernels_and_machines(tmp_path: Path) -> None:
    said = Said(tmp_path)
    said("missing files", lambda: trace.missing_files(CONSOLE))
    said("missing files of lines", lambda: trace.missing_files(iter(CONSOLE.splitlines())))
    mib = 1 << 20
    for unpacked in (0, 1, mib, 20 * mib, 40 * mib, 60 * mib, 80 * mib, 400 * mib, 999 * mib):
        for packed in (0, 3 * mib, 30 * mib):
            for files in (10, 5_000, 50_000):
                name = f"{unpacked} {packed} {files}"
                said(name, lambda u=unpacked, p=packed, f=files: memory.minimum_mib(u, p, f))
    said("UEFI", lambda: memory.minimum_mib(mib, mib, 10, uefi=True))
    for size in ((820 << 20), (820 << 20) + 1):
        for mode in ("legacy-bios", "uefi", "uefi-preferred"):
            said(f"{size} {mode}", lambda size=size, mode=mode: grub.check_initrd(size, mode))
    tree = tmp_path / "6.1"
    systems.write(tree, {"a-b.ko": "x\0depends=c\0y", "sub/c.ko": "\0depends=\0", "d.ko": "none"})
    systems.write(tree, {"e.ko": "\0depends=a-b,d,gone\0", "modules.builtin": "kernel/f-g.ko\n"})
    for names in ((), ("a-b",), ("a_b", "d"), ("d", "a-b", "c"), ("e",), ("f_g", "d"), ("none",)):
        said(str(names), lambda names=names: [m.name for m in modules.in_order(tree, names)])
    compare(HERE / "kernels-and-machines.txt", said.text)


def test_packages_that_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link among the packages' folders leads to the same file."""
    from tests.unit.image.test_builder_transcript import PACKAGES

    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    root = systems.packages(tmp_path / "tree")
    listings = tmp_path / "cache/contents"
    listings.mkdir(parents=True)
    owned = ("./bin/app", "usr/sbin/daemon\nusr/none", "", "./usr/share/app/data")
    for package, listing in zip(PACKAGES, owned, strict=True):
        (listings / package.sha256).write_text(listing)
    tree = Tree(root, PACKAGES)
    for files, names in (
        (["usr/bin/app"], ["app"]),
        (["usr/sbin/daemon", "usr/share/app/data"], ["netbase", "other"]),
        (["usr/bin/helper"], []),
        ([], []),
    ):
        found = owners.packages_owning(tree, [root / name for name in files])
        assert [one.name for one in found] == names
