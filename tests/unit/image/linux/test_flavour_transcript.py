"""Whole images for Linux, of small stand-ins for Debian's kernel and tools: all bytes of them."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.container_images import layer, member, oci
from nitro import debian, image
from nitro.debian import Package, Tree, Wanted
from nitro.errors import NitroError
from nitro.image import Image, decisions
from nitro.image.formats import cpio, gpt
from nitro.image.linux import disk, driver, guest, kernel
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.transcripts import compare
from tests.unit.image import elves, systems

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
RELEASE = "6.12.1+deb13-cloud-amd64"
MAGIC = b"\x28\xb5\x2f\xfd"
# Stores what it is given behind a magic number and its arguments: no version of zstd matters.
_ZSTD = """#!{python}
import sys
sys.stdout.buffer.write({magic!r} + " ".join(sys.argv[1:]).encode() + b"\\n")
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""
_MKIMAGE = """#!{python}
import sys
words = sys.argv[1:]
out, config = (words[words.index(name) + 1] for name in ("--output", "--config"))
shown = [word for word in words if word not in (out, config)]
shown = [word if "/usr/lib/grub" not in word else "GRUB" for word in shown]
text = " ".join(shown) + "\\n" + open(config).read()
open(out, "wb").write(text.encode().ljust(700, b"."))
"""


def _module(*depends: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(depends).encode() + b"\0vermagic=x\0"


class Packages:
    """Trees for what is asked of Debian, by the first name."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.asked: list[str] = []
        systems.write(
            home,
            {
                "meta/usr/share/doc/linux-image-cloud-amd64": f"-> linux-image-{RELEASE}",
                "busybox/usr/bin/busybox": "busybox",
                "gosu/usr/sbin/gosu": "gosu",
            },
            mode=0o755,
        )
        tools = {"zstd/usr/bin/zstd": _ZSTD, "grub/usr/bin/grub-mkimage": _MKIMAGE}
        for name, text in tools.items():
            script = text.format(python=sys.executable, magic=MAGIC)
            systems.write(home, {name: script}, mode=0o755)
        systems.write(home, {f"kernel/boot/vmlinuz-{RELEASE}": "vmlinuz"})
        modules = home / f"kernel/usr/lib/modules/{RELEASE}"
        made = {
            "net/ena.ko": _module(),
            "virtio/virtio_pci.ko.xz": lzma.compress(_module("virtio-pci-modern-dev", "virtio")),
            "virtio/virtio-pci-modern-dev.ko": _module("virtio_ring"),
            "virtio/virtio_ring.ko": _module("virtio"),
            "net/virtio_net.ko": _module("virtio_ring"),
            "input/button.ko": _module(),
            "input/evdev.ko": _module(),
            "other.ko": _module(),
        }
        for name, data in made.items():
            (modules / name).parent.mkdir(parents=True, exist_ok=True)
            (modules / name).write_bytes(data)
        (modules / "modules.builtin").write_text("kernel/drivers/virtio/virtio.ko\n")
        for platform in ("i386-pc", "x86_64-efi"):
            (home / "grub/usr/lib/grub" / platform).mkdir(parents=True)
        (home / "grub/usr/lib/grub/i386-pc/boot.img").write_bytes(bytes(range(256)) * 2)
        for name in ("strace", "setfattr"):
            elves.write(
                home / f"{name}/usr/bin/{name}", needed=["libc.so.6"], interpreter=systems.LOADER
            )
            elves.write(home / f"{name}/usr/lib/x86_64-linux-gnu/libc.so.6")
            elves.write(home / f"{name}/usr{systems.LOADER}")
            (home / f"{name}/lib64").symlink_to("usr/lib64")
        for name in ("compiler", "headers"):
            (home / name).mkdir()

    def tree(self, wanted: Wanted, **_: Any) -> Tree:
        first = wanted.names[0]
        kinds = {
            "linux-image-cloud-amd64": "meta",
            f"linux-image-{RELEASE}": "kernel",
            "busybox-static": "busybox",
            "grub-common": "grub",
            "attr": "setfattr",
            f"linux-headers-{RELEASE}": "headers",
            "gcc-14": "compiler",
            "gcc-12": "compiler",
        }
        kind = kinds.get(first, first)
        digest = hashlib.sha256(kind.encode()).hexdigest()
        package = Package(first, "1", "amd64", "debian", f"{first}.deb", 1, digest)
        return Tree(self._home / kind, (package,), wanted.arch)

    def trees(self, wanted: Iterable[Wanted], *, needed: Any, **_: Any) -> dict[Wanted, Tree]:
        packages = {one: self.tree(one).packages for one in wanted}
        left = list(needed(packages))
        self.asked = [f"resolved {one.key}" for one in packages]
        self.asked.append(f"not unpacked {len(packages) - len(left)}")
        return {one: self.tree(one) for one in left}


Build = Callable[[Mapping[str, Any]], str]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    home = Packages(tmp_path / "debian")
    elves.write(tmp_path / "project/app")
    systems.write(tmp_path / "project", {"large/a": "a" * 600_000, "large/b": "b" * 600_000})
    systems.write(tmp_path / "guest", {"init": "#!init\n", "functions": "load\n"}, mode=0o755)
    said: list[str] = []

    class Heard(Reporter):
        def note(self, text: str) -> None:
            said.append(f"note: {text}")

    def compiled(trees: list[Tree], command: list[str], folder: Path, **more: Any) -> str:
        names = [tree.root.name for tree in trees]
        files = sorted(one.name for one in folder.iterdir())
        said.append(f"compile with {names} {command} {files} {more}")
        (folder / driver.MODULE).write_bytes(b"driver")
        return ""

    monkeypatch.setattr(debian, "trees", home.trees)
    monkeypatch.setattr(kernel, "tree", home.tree)
    monkeypatch.setattr(guest, "files", lambda: tmp_path / "guest")
    monkeypatch.setattr("nitro.debian.chroot.run", compiled)

    def built(keys: Mapping[str, Any]) -> str:
        said.clear()
        document = {"name": "test", "folder": tmp_path / "project", "extras": (), "sysroot": "."}
        trace = bool(keys.get("trace"))
        asked = {key: value for key, value in keys.items() if key != "trace"}
        try:
            recipe = Recipe.model_validate({**document, **asked})
            made = image.build(recipe, report=Heard(), trace=trace)
        except NitroError as error:
            lines = [f"{type(error).__name__}: {error.what}", f"  {error.hint}"]
        else:
            lines = [*home.asked, *_shown(made)]
        text = "\n".join(f"  {line}" for line in (*said, *lines))
        return text.replace(f"{tmp_path}/", "") + "\n"

    return built


def _shown(made: Image) -> Iterator[str]:
    manifest = json.loads(made.manifest_path.read_text())
    for one in decisions.of(made):
        yield f"{one.subject}: {one.choice} ({one.reason})"
    yield json.dumps(manifest["kernel"])
    for one in manifest["layers"]:
        yield json.dumps(one)
    yield f"packages {[one['name'] for one in manifest['packages']]}"
    raw = made.path.read_bytes()
    yield f"{len(raw)} bytes, {made.minimum_memory_mib} MiB, {made.digest}"
    yield f"boot sector {raw[:440].hex()[150:220]} {hashlib.sha256(raw[:440]).hexdigest()[:16]}"
    for partition in gpt.read(raw[: 34 * 512]):
        yield f"{partition.name}: {partition.first} to {partition.last}"
    core = raw[34 * 512 : 36 * 512]
    yield f"core {core[500:512].hex()}"
    yield from core[:500].decode().rstrip(".").splitlines()
    files = disk.esp_files(made.path)
    for name, (position, size) in files.items():
        yield f"{name} at {position}, {size} bytes"
    position, size = files["EFI/BOOT/BOOTX64.EFI"]
    yield from raw[position : position + size].decode().rstrip(".").splitlines()
    position, size = files["INITRD"]
    yield from _archives(raw[position : position + size])


def _archives(initrd: bytes) -> Iterator[str]:
    at = 0
    while at < len(initrd.rstrip(b"\0")):
        assert initrd.startswith(MAGIC, at)
        end = initrd.find(MAGIC, at + 4)
        piece = initrd[at : end if end > 0 else len(initrd)]
        words, _, archive = piece[4:].partition(b"\n")
        stream = io.BytesIO(archive.rstrip(b"\0") + bytes(4))
        yield f"archive at {at}: {words.decode()}"
        for entry in cpio.read(stream):
            owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
            target = f" -> {entry.target}" if entry.target else ""
            size = f" {entry.size}" if stat.S_ISREG(entry.mode) else ""
            content = ""
            if stat.S_ISREG(entry.mode) and entry.path.startswith(
                ("/etc/nitro/", "/usr/lib/nitro/modules/list")
            ):
                data = stream.getvalue()[: stream.tell()]
                start = len(data) - entry.size - -entry.size % 4
                content = f" {data[start : start + entry.size].decode()!r}"
            yield f"{entry.path} {entry.mode:o}{owner}{size}{target}{content}"
        at += len(piece) if end > 0 else len(initrd)


BASED = {"from": "oci:base"}
APP = {"programs": ["app"]}
RECIPES: dict[str, dict[str, Any]] = {
    "a program": APP,
    "the kernel's driver": {**APP, "driver": "kernel", "kernel": "linux"},
    "UEFI": {**APP, "boot_mode": "uefi-preferred"},
    "all that init is told": {
        **APP,
        "command": ("/usr/bin/app", "it's", "ü\n"),
        "env": {"B": "a b", "A": "$x"},
        "working_directory": "/srv/my site",
        "stop_signal": "INT",
        "ports": ["tcp:80", "udp:53", "tcp:443"],
        "on_exit": "restart",
    },
    "a user": {**APP, "user": "someone", "suite": "bookworm"},
    "a number": {**APP, "user": "7:8", "driver": "kernel"},
    "its own folders": {
        **APP,
        "folders": [{"path": "/tmp", "mode": "0700"}],
        "links": {"/var/run": "/elsewhere", "/usr/bin/env": "app"},
    },
    "calls": {**APP, "strace": "open", "driver": "kernel"},
    "all calls": {**APP, "strace": "syscall*", "driver": "kernel"},
    "missing files": {**APP, "trace": True, "driver": "kernel"},
    "both traces": {**APP, "trace": True, "strace": "open"},
    "no such call": {**APP, "strace": "nothing"},
    "a launch of OSv's": {**APP, "launch": "osv"},
    "large files": {
        **APP,
        "files": [{"source": "large", "path": "/large"}],
        "driver": "kernel",
    },
    "a container": BASED,
    "a container by a relative word": {
        **BASED,
        "command": ("tool",),
        "working_directory": "/usr",
        "driver": "kernel",
    },
    "a suite of no compiler": {**APP, "suite": "sid"},
}


def test_images(build: Build, tmp_path: Path) -> None:
    plain = elves.write(tmp_path / "elf").read_bytes()
    tool = member("usr/bin/tool", plain, mode=0o755, uid=3, gid=4, mtime=5)
    tool.pax_headers = {"SCHILY.xattr.security.capability": "\1\2"}
    files: dict[str, bytes | str | None] = {
        "init": b"own",
        "usr/bin/sh": plain,
        "etc/passwd": b"app:x:7:8::/:/bin/sh\n",
        "bin": "usr/bin",
    }
    raw = layer((tool, plain), files=files)
    oci(tmp_path / "project/base", [raw], "tar", Cmd=["/usr/bin/tool", "x"], User="app")
    text, usual = "", set[str]()
    for name, keys in RECIPES.items():
        lines = build(keys).splitlines()
        shown = [line for line in lines if line not in usual]
        usual.update(line for line in lines if " /" in line[:4] or "resolved" in line)
        text += f"{name}: {len(lines)} lines\n" + "\n".join(shown) + "\n"
    compare(HERE / "images.txt", text)
