"""Whole images of a small tree: each file with its mode and owner, notes, decisions, errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lab.container_images import layer, member, oci
from nitro import __version__, debian, image, recipe
from nitro.debian import Lock, Package, Tree, Wanted
from nitro.errors import NitroError
from nitro.image import decisions, flavour, setup
from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Node, Rootfs
from nitro.paths import resource
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.transcripts import compare
from tests.unit.image import elves, systems
from tests.unit.image.printer import Printer

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
PACKAGES = tuple(
    Package(name, "1.0", "all", "debian", f"{name}.deb", 1, f"{number}" * 64)
    for number, name in enumerate(("app", "netbase", "tzdata", "other"), 1)
)
OWNED = {"app": "usr/bin/app\nusr/sbin/daemon", "netbase": "etc/protocols", "other": "usr/none"}
LIBRARIES = {"libgone.so.1": "libgone1"}


@dataclass
class Shown(Printer):
    """Keeps what it is given. The guest has a shell and a library from it."""

    said: ClassVar[list[str]] = []
    rootfs: ClassVar[list[Rootfs]] = []
    _tools: Wanted = field(default=Wanted(("tools",)), init=False)

    def wanted(self) -> Sequence[Wanted]:
        return (self._tools,)

    def needed(self, packages: Mapping[Wanted, Sequence[Package]]) -> Sequence[Wanted]:
        self.said.append(f"resolved {', '.join(one.key for one in packages)}")
        return ()

    def examine(self, path: str, program: Path, sysroot: Sysroot) -> None:
        self.said.append(f"examine {path} {program} {sysroot.root} {sysroot.base}")

    def supplies(self, name: str) -> bool:
        return name in ("/bin/sh", "/usr/bin/env", "libm.so.6")

    def add(self, rootfs: Rootfs, trees: Mapping[Wanted, Tree]) -> Sequence[Package]:
        super().add(rootfs, trees)
        self.rootfs.append(rootfs)
        return PACKAGES[3:]


class Heard(Reporter):
    """Keeps notes and the names of stages."""

    def note(self, text: str) -> None:
        Shown.said.append(f"note: {text}")


Build = Callable[[Mapping[str, Any]], str]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds a recipe of the project's folder, and tells all of it."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # all lies where it is renamed to
    tree = systems.packages(tmp_path / "tree")
    systems.machine(tmp_path / "machine")
    folder = systems.project(tmp_path / "project")
    listings = tmp_path / "cache/contents"
    listings.mkdir(parents=True)
    for package in PACKAGES:
        (listings / package.sha256).write_text(OWNED.get(package.name, ""))

    def trees(
        wanted: Iterable[Wanted],
        *,
        lock: Lock | None = None,
        report: Reporter | None = None,
        needed: Callable[[dict[Wanted, tuple[Package, ...]]], Iterable[Wanted]],
    ) -> dict[Wanted, Tree]:
        assert report is not None
        assert lock is not None
        asked = dict.fromkeys(wanted, PACKAGES[:3])
        left = needed(asked)
        Shown.said.append(f"lock {lock.path} frozen={lock.frozen}")
        Shown.said.append(f"unpacked {', '.join(one.key for one in left)}")
        return {one: Tree(tree, packages) for one, packages in asked.items()}

    def set_up(rootfs: Rootfs, recipe: Recipe, report: Reporter) -> list[decisions.Decision]:
        words = " ".join(recipe.setup or ())
        return [decisions.Decision("setup", words, f"{len(rootfs.nodes)} paths")] if words else []

    monkeypatch.setattr(debian, "trees", trees)
    monkeypatch.setattr(setup, "add", set_up)
    monkeypatch.setitem(flavour.FLAVOURS, "linux", Shown)
    monkeypatch.setattr("nitro.image.contents.package_of", lambda name, *_: LIBRARIES.get(name))
    monkeypatch.setattr(Shown, "said", [])
    monkeypatch.setattr(Shown, "rootfs", [])

    def built(keys: Mapping[str, Any]) -> str:
        Shown.said.clear()
        document = {"name": "test", "folder": folder, "extras": (), "sysroot": "../machine"}
        try:
            recipe = Recipe.model_validate({**document, **keys})
            made = image.build(recipe, report=Heard())
        except NitroError as error:
            lines = [f"{type(error).__name__}: {error.what}", f"  {error.hint}"]
        else:
            lines = [f"{one.subject}: {one.choice} ({one.reason})" for one in decisions.of(made)]
            lines += _listing(Shown.rootfs[-1])
        text = "\n".join(f"  {line}" for line in (*Shown.said, *lines))
        return text.replace(f"{tmp_path}/", "").replace("project/../", "") + "\n"

    return built


def _short(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "").replace(f"{resource('amis').parent}/", "")


def _listing(rootfs: Rootfs) -> Iterable[str]:
    first = Rootfs().nodes
    for path, node in sorted(rootfs.nodes.items()):
        if node != first.get(path) and path != "/line":
            whose = f"[{node.origin}, {node.layer}]"
            yield f"{node.mode:o} {node.uid}:{node.gid} {path} {_what(node)} {whose}"


def _what(node: Node) -> str:
    if node.target is not None:
        return f"-> {node.target}"
    if node.source is None:
        return "folder"
    text = str(node.source) if isinstance(node.source, Path) else repr(node.source.decode())
    more = f" {node.capability!r} of {node.mtime}" if node.capability or node.mtime else ""
    return f"{text} ({node.size}){more}"


APP = {"packages": ("app",)}
SH = {"command": ("/bin/sh",)}
OF_PACKAGES: dict[str, dict[str, Any]] = {
    "the command alone": {"command": ("/usr/bin/app", "-x")},
    "a program, and another one that is started": {
        "programs": ["/usr/bin/helper", "/usr/sbin/daemon", "server"],
        "command": ("/usr/sbin/daemon",),
    },
    "a program with mode, owner and place": {
        "programs": [
            {"source": "/usr/bin/app", "path": "/opt/app", "mode": "4751", "owner": "5:6"}
        ],
        "user": "nobody",
    },
    "by links": {"programs": ["/usr/bin/java", "/usr/bin/python3", "/usr/bin/awk"]},
    "a link with a place of its own": {"programs": [{"source": "/usr/bin/java", "path": "/j"}]},
    "a script of python": {"programs": ["/usr/bin/pyscript"]},
    "an interpreter that no package has": {"programs": ["/usr/bin/rbscript"]},
    "a launcher": {"command": ("/usr/bin/launcher",)},
    "a launcher with what it names": {
        "command": ("/usr/bin/launcher",),
        "files": ["/usr/share/app", "/etc/app/app.conf"],
    },
    "configuration": {"files": ["/etc/app"], **SH},
    "configuration of two kinds": {"files": ["/etc/web"], **SH},
    "configuration of two programs": {"files": ["/etc/web", "/etc/app"], **SH},
    "a file that the command line names": {
        "command": ("/usr/bin/app", "--page=/usr/share/app/more/page", "/usr/share/app"),
        "setup": ("/usr/bin/helper", "/etc/services"),
    },
    "plugins": {"files": ["/usr/lib/app"], **SH},
    "a library of a name": {"libraries": ["libextra.so.1", "/usr/lib/jvm/lib/libjli.so"], **SH},
    "a library that is missing": {"libraries": ["libgone.so.1"], **SH},
    "another library that is missing": {"libraries": ["libnone.so.2"], **SH},
    "a program whose library is missing": {"programs": ["/usr/bin/lacks"]},
    "a program of the folder with libraries of the packages": {"programs": ["needs"]},
    "a program of this machine": {
        "programs": [{"source": "/usr/bin/tool", "from": "host"}],
        "files": [{"source": "/etc/hosts", "from": "host"}],
    },
    "unwinder": {"programs": ["/usr/bin/app"], "extras": ("unwind", "passwd")},
    "what packages declare": {"packages": ("svc",), "files": ["/etc/protocols"], **SH},
    "what packages declare, where users are": {
        "packages": ("svc",),
        "extras": ("passwd",),
        "files": [{"source": "page", "path": "/run/app/page"}],
        "user": "nobody",
        **SH,
    },
    "all extras": {
        "extras": ("passwd", "nsswitch", "resolv", "tzdata", "protocols"),
        "files": [{"source": "page", "path": "/etc/hosts"}],
        **SH,
    },
    "users and folders": {
        "packages": ("app", "svc-common"),
        "user": "someone",
        "programs": ["/usr/bin/app"],
        "files": [{"source": "web", "path": "/srv", "owner": "mail"}],
        "folders": ["/srv", {"path": "/data", "owner": "someone:mail", "mode": "1700"}],
        "working_directory": "/work",
    },
    "a number for a user": {"user": "7", "folders": [{"path": "/a", "owner": "8"}], **SH},
    "a group that nothing brings": {"folders": [{"path": "/a", "owner": "root:gone"}], **SH},
    "links": {"links": {"/usr/bin/x": "app", "/etc/y": "/z"}, "programs": ["/usr/bin/app"]},
    "a name that the packages have elsewhere": {"programs": ["/usr/bin/daemon"]},
    "a name with a version": {"programs": ["/usr/bin/php"]},
    "a name of the folder that the packages have": {"programs": ["helper"]},
    "a command without a path": {"command": ("daemon",), "programs": ["/usr/bin/app"]},
    "a command with a version": {"command": ("php",)},
    "a command that is nowhere": {"command": ("/usr/bin/nothing",)},
    "a file that is nowhere": {"files": ["/usr/share/nothing"], **SH},
    "a file that may be missing": {
        "files": [{"source": "/usr/share/nothing", "optional": True}, "/usr/share/app/data"],
        **SH,
    },
    "python's bytecode is not made by what does not run": {
        "programs": ["/usr/bin/python3.13"],
        "files": ["/usr/lib/python3.13"],
    },
    "what leaves out": {"files": ["/usr/share/app"], "exclude": ("more/", "link"), **SH},
}
OWN: dict[str, dict[str, Any]] = {
    "a program": {"programs": ["server"]},
    "a program of this machine": {"programs": ["/usr/bin/tool"]},
    "a script of bash": {"programs": ["run.sh"], "packages": ("app",)},
    "a script of python": {"programs": ["run.py"]},
    "a script among the files": {
        "files": [{"source": "run.py", "path": "/run.py"}],
        "command": ("/run.py",),
    },
    "a command that is not executable": {
        "files": [{"source": "plain.sh", "path": "/x"}],
        "command": ("/x",),
    },
    "one that is made so": {
        "files": [{"source": "plain.sh", "path": "/x", "mode": "0711"}],
        "command": ("/x",),
    },
    "a folder": {"programs": ["server"], "files": [{"source": "web", "path": "/web"}]},
    "a folder for a program": {"programs": ["web"]},
    "a text for a program": {"programs": ["page"]},
    "for another machine": {"programs": ["arm"]},
    "no program": {"programs": ["object"]},
    "nothing": {"programs": ["nothing"]},
    "nothing on this machine": {"programs": ["/usr/bin/nothing"]},
    "something alike on this machine": {"programs": ["/usr/bin/toolbox"]},
    "elsewhere on this machine": {"programs": ["/usr/bin/own"]},
    "a package's without packages": {"files": [{"source": "/x", "from": "package"}], **SH},
    "a command of the shell": {**SH, "minimum_memory_mib": 65, "boot_mode": "uefi"},
    "less memory than it takes": {**SH, "minimum_memory_mib": 64},
    "a command without a path": {"command": ("server",), "programs": ["server"]},
    "a plugin": {"libraries": ["libplugin.so.2"], "programs": ["server"]},
    "two for one place": {
        "programs": ["server"],
        "files": [{"source": "page", "path": "/usr/bin/server"}],
    },
    "a device": {"files": [{"source": "fifo", "path": "/f"}], **SH},
    "a script of the runtime": {
        "runtime": "node",
        "working_directory": "/app",
        "command": ("/bin/sh", "gone.js"),
    },
    "an archive of the runtime": {
        "runtime": "java",
        "command": ("/bin/sh", "-jar", "gone.jar"),
        "files": [{"source": "page", "path": "/app/page"}],
    },
    "a machine's tree": {"programs": ["server"], "files": ["/etc/hosts"]},
}


IN_BASE: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a word that the path finds": {"command": ("tool", "-x")},
    "a word that is nowhere": {"command": ("gone",)},
    "a relative word": {"command": ("bin/tool",), "working_directory": "/usr"},
    "a relative word without a folder": {"command": ("usr/bin/tool",)},
    "a path that is nowhere": {"command": ("/gone",)},
    "a folder": {"command": ("/usr/bin",)},
    "no path": {"command": ("tool",), "env": {"PATH": ":/none:"}},
    "a user of its own": {"user": "app:team"},
    "a user of nobody": {"user": "gone"},
    "a number": {"user": "12:13"},
    "a group of nobody": {"user": "app:gone"},
    "files": {
        "files": [{"source": "page", "path": "/etc/motd"}, {"source": "web", "path": "/srv/web"}],
        "exclude": ("notes.txt",),
    },
    "a file in place of a folder": {"files": [{"source": "page", "path": "/data"}]},
    "a folder in place of a file": {"files": [{"source": "web", "path": "/etc/motd"}]},
    "a file with an owner": {"files": [{"source": "page", "path": "/p", "owner": "app"}]},
    "folders": {"folders": [{"path": "/data", "owner": "app", "mode": "0700"}, "/new"]},
    "a program with its library in the image": {"programs": ["needs"]},
    "a program with its library here": {
        "programs": ["/usr/bin/tool"],
        "command": ("/usr/bin/tool",),
    },
    "packages": {"packages": ("app",), "programs": ["/usr/bin/helper"]},
    "a script of the image's interpreter": {"programs": ["run.py"]},
    "a script of no interpreter": {"programs": ["run.sh"]},
    "extras": {"extras": ("passwd", "nsswitch", "resolv")},
}


@pytest.mark.parametrize("hosts", ["", "own"])
def test_images_of_a_container(build: Build, tmp_path: Path, hosts: str) -> None:
    library = elves.write(tmp_path / "elf", needed=["libc.so.6"]).read_bytes()
    plain = elves.write(tmp_path / "elf").read_bytes()
    base: dict[str, bytes | str | None] = {
        "bin": "usr/bin",
        "lib64": "usr/lib64",
        "usr/bin/tool": library,
        "usr/bin/python3": plain,
        "usr/lib64/ld-linux-x86-64.so.2": plain,
        "usr/lib/liba.so.1": library,
        "usr/lib/libc.so.6": plain,
        "etc/passwd": b"app:x:7:8::/:/bin/sh\nodd:x\nbad:x:a:b\nmore:x:9:z\n",
        "etc/group": b"team:x:70:app\n",
        "etc/hosts": hosts.encode(),
        "etc/motd": b"hello",
        "etc/resolv.conf": b"build machine",
        ".dockerenv": b"",
        "run/.containerenv": b"",
        "dev/null": b"",
        "proc": None,
        "sys/x/y": b"",
        "data/f": b"1",
        "volume/f": b"1",
    }
    name = member("usr/bin/café", plain, mode=0o4511, uid=3, gid=4, mtime=5)
    name.pax_headers = {"SCHILY.xattr.security.capability": "\1\2"}
    raw = layer((name, plain), files=base)
    volumes: dict[str, dict[str, str]] = {"/volume": {}, "/other/volume": {}}
    oci(tmp_path / "project/base", [raw], "tar", Cmd=["/usr/bin/café"], Volumes=volumes)
    text, usual = "", set[str]()
    for case, keys in (IN_BASE if hosts else {"as it is": {}}).items():
        lines = build({"from": "oci:base", **keys}).splitlines()
        shown = [line for line in lines if line not in usual]
        usual.update(line for line in lines if "[" in line)
        text += f"{case}: {len(lines)} lines\n" + "\n".join(shown) + "\n"
    text = re.sub(r"cache/containers-\d+/[0-9a-f]+(?:/root)?", "BASE", text)
    compare(HERE / f"base-{hosts or 'empty'}.txt", text)


def test_images_of_packages(build: Build) -> None:
    text = "".join(f"{name}\n{build({**APP, **keys})}" for name, keys in OF_PACKAGES.items())
    compare(HERE / "packages.txt", text)


def test_what_an_image_is_made_from(build: Build, tmp_path: Path) -> None:
    """All that lies beside the disk, and what a repeated build looks at."""
    project = tmp_path / "project"
    systems.write(
        project,
        {
            "one.toml": (
                'description = "what it does"\n'
                'packages = ["app", "tzdata"]\nextras = ["protocols"]\n'
                'files = [{ source = "page", path = "/page" }]\nprograms = ["/usr/bin/app"]\n'
                'ports = [80, "udp:53"]\ntags = { a = "b" }\n'
            )
        },
    )
    prepared = image.prepare(recipe.load(project / "one.toml"), report=Heard(), locked=True)
    made = prepared.build()
    assert 0 <= made.build_seconds < 600
    text = f"{prepared.minimum_memory_mib} {made.cached} {made.path.name}\n" + "\n".join(Shown.said)
    for path in (made.manifest_path, made.bill_of_materials):
        text += f"\n{path.name}\n{path.read_text()}"
    for path in sorted((tmp_path / "cache/builds").iterdir(), key=lambda one: one.stat().st_size):
        document = json.loads(path.read_text())
        assert document["manifest"] == str(made.manifest_path)
        text += f"\n{len(document['inputs'])} files looked at: "
        text += " ".join(sorted(_short(one, tmp_path) for one in document["inputs"]))
    for path in sorted((tmp_path / "cache/images").rglob("*")):
        text += f"\n{path.relative_to(tmp_path)}"
    compare(HERE / "made.txt", _short(text, tmp_path).replace(__version__, "VERSION") + "\n")


def test_images_without_packages(build: Build, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "project/fifo")
    os.mkfifo(tmp_path / "project/web/fifo")
    text = "".join(f"{name}\n{build(keys)}" for name, keys in OWN.items())
    compare(HERE / "own.txt", text)
