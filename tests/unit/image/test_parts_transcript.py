"""File systems, users and libraries, at the edges of what each tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nitro.image import users
from nitro.image.libraries import Closure, Sysroot, add_unwinder
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe
from tests.said import Said
from tests.transcripts import compare
from tests.unit.image import elves, systems

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def _node(**keys: Any) -> Node:
    return Node("program", "test", **keys)


def _listing(rootfs: Rootfs) -> str:
    first = Rootfs().nodes
    shown = []
    for path, node in sorted(rootfs.nodes.items()):
        if node != first.get(path):
            kept = node.source
            content = kept.decode(errors="backslashreplace") if isinstance(kept, bytes) else kept
            what = node.target if node.target else content
            shown.append(f"{path} {node.mode:o} {node.uid}:{node.gid} {node.layer} {what!r}")
    return "; ".join(shown)


def test_file_systems(tmp_path: Path) -> None:
    said = Said(tmp_path)
    kept = tmp_path / "kept"
    kept.write_text("kept")
    same = tmp_path / "same"
    same.write_text("kept")
    nodes = {
        "file": _node(source=b"kept"),
        "kept": _node(source=kept),
        "same": _node(source=same),
        "other": _node(source=b"other"),
        "link": _node(target="x"),
        "another link": _node(target="y"),
        "folder": _node(),
        "another folder": _node(permissions=0o700, uid=1),
        "of the system": Node("system", "nitro", source=b"other"),
        "of a container": Node("container", "base", source=b"base"),
        "folder of a container": Node("container", "base", permissions=0o711),
    }

    def put(first: Node, second: Node, path: str = "/a/b") -> str:
        rootfs = Rootfs()
        rootfs.nodes["/a"] = Node("container", "base")
        rootfs.add("/a/b", first)
        if first == nodes["folder of a container"]:
            rootfs.add("/a/b/c", Node("container", "base", source=b"c"))
        rootfs.add(path, second)
        return _listing(rootfs)

    for first in nodes:
        for second in nodes:
            said(f"{first}, then {second}", lambda a=first, b=second: put(nodes[a], nodes[b]))
        said(f"below {first}", lambda a=first: put(nodes[a], nodes["other"], "/a/b/c/d"))
    for name, target in (("dead", "none"), ("right", "kept"), ("wrong", "other")):
        (tmp_path / "other").touch()
        (tmp_path / name).symlink_to(target)
        for node in (nodes["kept"], nodes["file"], nodes["link"], nodes["folder"]):

            def copied(name: str = name, node: Node = node) -> str:
                rootfs = Rootfs()
                rootfs.add("/a", node)
                found = rootfs.copy("/a", tmp_path / name, "packages", "copied")
                return f"{_listing(rootfs)} {found}"

            said(f"a link {name}, for {node.source!r} {node.target}", copied)
    rootfs = Rootfs()
    rootfs.add("/d/e/f", _node(source=b"12345"))
    rootfs.add("/d/page", _node(source=b"x" * 4096))
    rootfs.add("/d/more", _node(source=b"x" * 4097))
    rootfs.add("/abs", _node(target="/d/e"))
    rootfs.add("/up", _node(target="../../d/./e/../e"))
    rootfs.add("/circle", _node(target="circle"))
    rootfs.add("/whole", _node(target="/"))
    for number in range(42):
        target = "/d/e" if not number else f"s{number - 1}"
        rootfs.add(f"/s{number}", _node(target=target))
    paths = ("/abs/f", "/up/f", "/abs", "/circle", "/circle/x", "/d/../d/e/f", "d/e", "/..", "/")
    more = ("/s38/f", "/s39/f", "/s40/f", "/s41/f", "/bin/x", "/d/e/f/g", "/abs/../x", "/whole/d")
    for path in (*paths, *more):
        for follow in (False, True):
            said(f"{path} {follow}", lambda p=path, f=follow: rootfs.settle(p, follow=f))
        said(f"{path} is there", lambda path=path: path in rootfs)
        said(f"{path} has", lambda path=path: rootfs.read(path))
    said("size", lambda: rootfs.size)
    said("an empty one's size", lambda: Rootfs().size)
    layers = Rootfs()
    layers.add("/p/a", _node(source=b"1"))
    layers.add("/p/b", Node("packages", "x", source=b"2"))
    layers.add("/p", _node())
    for layer in ("system", "container", "packages", "program"):
        said(layer, lambda layer=layer: [path for path, _ in layers.of(layer)])
    said("a folder", lambda: layers.folders("/p", "/p/new/deep", permissions=0o700))
    said("a folder in place of a file", lambda: layers.folders("/p/a"))
    said("folders", lambda: _listing(layers))
    for path in ("/p/n", "/p/new", "/p/", "/none"):
        layers.remove(path)
        said(f"without {path}", lambda: sorted(layers.nodes))
    compare(HERE / "rootfs.txt", said.text)


PASSWDS = (
    b"",
    b"a:x:1:2\n",
    b"a:x:1:2:caf\xe9",
    b"a:x:1\nb:x:2:x\nc:x:y:3\na:x:9:9\nroot:x:5:6\n",
    b"mail:x:1000:1000::/:/\n\n:\n",
)

GROUPS = (b"", b"a:x:7:b,c\nteam:x:8:\nn:x:1000:\n", b"mail:x:3\n")


def test_users(tmp_path: Path) -> None:
    said = Said(tmp_path)

    def made(passwd: bytes, group: bytes) -> Rootfs:
        rootfs = Rootfs()
        for path, text in (("/etc/passwd", passwd), ("/etc/group", group)):
            if text:
                rootfs.add(path, _node(source=text))
        return rootfs

    def added(rootfs: Rootfs, **keys: Any) -> str:
        document = {"name": "x", "command": ("/x",), "folder": tmp_path, **keys}
        users.add(rootfs, Recipe.model_validate(document))
        return _listing(rootfs)

    for passwd in PASSWDS:
        for group in GROUPS:
            said(f"{passwd!r} {group!r}", lambda p=passwd, g=group: added(made(p, g), user="new"))
            said("with mail", lambda p=passwd, g=group: added(made(p, g), user="mail:mail"))
            for owner in ("a", "a:team", "root", "root:root", "7", "7:a", "7:8", "a:gone", ":8"):
                said(f"  {owner}", lambda p=passwd, g=group, o=owner: users.ids(made(p, g), o))

    def declared(name: str, team: str) -> str:
        rootfs = made(PASSWDS[1], GROUPS[1])
        users.declare(rootfs, name, team)
        return _listing(rootfs)

    for name, team in (("a", "a"), ("new", "team"), ("new", "newer"), ("new", "new"), ("n", "n")):
        said(f"declared {name} {team}", lambda n=name, t=team: declared(n, t))
    rootfs = made(PASSWDS[1], GROUPS[1])
    for path in ("/d/a", "/d/b/c", "/da"):
        rootfs.add(path, _node(source=b"x"))
    rootfs.add("/l", _node(target="/d"))
    files = [{"source": "x", "path": "/l/b", "owner": "a:team"}, {"source": "y", "path": "/da"}]
    said("owners", lambda: added(rootfs, files=files, user="root"))
    linked = made(b"", b"")
    linked.add("/etc/passwd", _node(target="../real"))
    said("a link to nothing", lambda: added(linked, user="new"))
    base = made(PASSWDS[1], b"")
    said("of a container", lambda: added(base, user="gone", **{"from": "docker://x"}))
    compare(HERE / "users.txt", said.text)


def test_libraries(tmp_path: Path) -> None:
    said = Said(tmp_path)
    root = tmp_path / "root"
    base = tmp_path / "base"
    for place in ("lib64", "usr/lib64", "lib", "usr/lib", "usr/local/lib", "opt/conf", "opt/deep"):
        elves.write(root / place / f"lib{place.replace('/', '-')}.so")
    for place in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
        elves.write(root / place / f"lib{place.split('/')[0]}-multi.so")
    systems.write(
        root,
        {
            "etc/ld.so.conf": "include ld.so.conf.d/*.conf\n# no\n/opt/conf # yes\n\n",
            "etc/ld.so.conf.d/a.conf": "include /etc/more/x.conf /etc/more/y.conf\n",
            "etc/more/x.conf": "/opt/deep /opt/ignored\n",
            "etc/more/circle.conf": "include circle.conf\n/opt/circle\n",
            "etc/more/y.conf": "include circle.conf\n",
        },
    )
    (root / "etc/more/x.conf").write_bytes(b"/opt/deep /opt/ignored\n# caf\xe9\n")
    said("configured", lambda: Sysroot(root).configured)
    said("nothing configured", lambda: Sysroot(base).configured)
    for number in range(8):
        inside = f"include {number + 1}.conf\n/opt/{number}\n"
        systems.write(tmp_path / "deep", {f"etc/{number}.conf": inside})
    systems.write(tmp_path / "deep", {"etc/ld.so.conf": "include 0.conf\n"})
    said("deep", lambda: Sysroot(tmp_path / "deep").configured)
    wanted = [f"lib{name}.so" for name in ("lib64", "usr-lib64", "lib", "usr-lib", "usr-local-lib")]
    wanted += ["libopt-conf.so", "libopt-deep.so", "liblib-multi.so", "libusr-multi.so"]

    def closed(path: str, supplied: tuple[str, ...] = (), **keys: Any) -> str:
        program = elves.write(root / path, **keys)
        closure = Closure(
            Sysroot(root, base if base.exists() else None),
            supplied=supplied.__contains__,
            remedy=lambda name: f"get {name}" if "known" in name else None,
        )
        lacks: list[str] = []
        closure.add(f"/{path}", program, lacks if "lacking" in path else None)
        found = {name: str(file.relative_to(tmp_path)) for name, file in closure.found.items()}
        return f"{found} {closure.needed_by} {closure.left_out} {lacks}"

    said("default folders", lambda: closed("bin/a", needed=wanted))
    elves.write(root / "opt/conf/libtwice.so")
    elves.write(root / "usr/lib/libtwice.so")
    elves.write(root / "opt/own/libtwice.so", needed=["libinner.so"])
    elves.write(root / "opt/own/libinner.so")
    elves.write(root / "usr/lib/libinner.so", needed=["libopt-deep.so"])
    elves.write(root / "opt/arm/libtwice.so", machine=183)
    for place in ("usr/lib/x86_64-linux-gnu", "x86_64"):
        elves.write(root / place / "libtwice.so")
    for place in ("opt/empty", "opt/short", "opt/text"):
        (root / place).mkdir()
    (root / "opt/short/libtwice.so").write_bytes(b"\x7fELF\2" + bytes(14))
    (root / "opt/text/libtwice.so").write_bytes(b"text" * 9)
    (root / "opt/empty/libtwice.so").mkdir()
    twice: dict[str, Any] = {"needed": ["libtwice.so"]}
    for folder in ("own", "arm", "short", "text", "empty", "none", "own/"):
        place = f"/opt/{folder}"
        said(f"rpath {folder}", lambda p=place: closed("bin/b", **twice, rpath=p))
        said(f"runpath {folder}", lambda p=place: closed("bin/b", **twice, runpath=p))
    said("both", lambda: closed("bin/c", **twice, rpath="/opt/own", runpath="/opt/conf"))
    said("rpath, then default", lambda: closed("bin/d", **twice, rpath="/none"))
    for text in ("$ORIGIN/../opt/own", "${ORIGIN}/../opt/own", "/usr/$LIB", "/$PLATFORM", "$OTHER"):
        said(text, lambda text=text: closed("bin/e", **twice, runpath=text))
    said("a path", lambda: closed("bin/f", needed=["/opt/own/libtwice.so", "/opt/own/libtwice.so"]))
    said("a path that is nowhere", lambda: closed("bin/g", needed=["/none/libx.so"]))
    said("missing", lambda: closed("bin/h", needed=["libnone.so"]))
    said("missing, and known", lambda: closed("bin/i", needed=["libknown.so"]))
    said("lacking", lambda: closed("bin/lacking", needed=["libnone.so", "libtwice.so", "/no/x.so"]))
    interpreter = "/lib64/ld.so"
    said("no interpreter", lambda: closed("bin/j", interpreter=interpreter))
    said("lacking one", lambda: closed("bin/lacking2", interpreter=interpreter))
    elves.write(root / "lib64/ld.so")
    said("an interpreter", lambda: closed("bin/k", interpreter=interpreter, needed=["ld.so"]))
    supplied = (interpreter, "libtwice.so")
    said("supplied", lambda: closed("bin/l", supplied, interpreter=interpreter, **twice))
    said("musl", lambda: closed("bin/m", needed=["libc.musl-x86_64.so.1", "libopt-conf.so"]))
    said("for another machine", lambda: closed("bin/n", needed=["libtwice.so"], machine=183))
    elves.write(root / "usr/lib/libc.so.6")
    said("unwinder", lambda: _unwound(root))
    elves.write(root / "usr/lib/libgcc_s.so.1")
    said("unwinder", lambda: _unwound(root))
    elves.write(base / "opt/conf/libtwice.so", needed=["libopt-deep.so"])
    said("of the base", lambda: closed("bin/o", **twice))
    said("missing with a base", lambda: closed("bin/p", needed=["libnone.so"]))
    compare(HERE / "libraries.txt", said.text)


def _unwound(root: Path) -> list[str]:
    found = []
    for needed in ((), ("libc.so.6",)):
        closure = Closure(Sysroot(root))
        closure.add("/bin/u", elves.write(root / "bin/u", needed=needed))
        add_unwinder(closure)
        found.append(f"{sorted(closure.found)} {closure.needed_by}")
    return found
