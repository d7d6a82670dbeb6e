"""Whole images for OSv: what is put in, said and decided for recipes and kernels of all kinds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nitro import debian, image
from nitro.debian import Package, Tree, Wanted
from nitro.errors import NitroError
from nitro.image import decisions
from nitro.image.inspect import inspect
from nitro.image.osv import driver, store
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.transcripts import compare
from tests.unit.image import elves, systems
from tests.unit.image.osv.kernel import SAMPLE, build, compressed_disk

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
PROBE = "_ZN3aws3ena5probeEPN2hw9hw_deviceE"
KEPT = [(0, b"/libenviron.so", b"environ"), (0, b"/libvdso.so", b"vdso")]
ROOM = (0, b"/room", bytes(100_000))
KERNELS: dict[str, bytes] = {
    "mine": build([*SAMPLE, *KEPT, ROOM], exports=[PROBE, "osv_one"]),
    "small": build([*KEPT]),
    "bare": build([]),
    "without": build([*KEPT, ROOM], exports=["osv_one"]).replace(b"N3aws3enaE", b"N3aws3enbE"),
    "fixed": build([*KEPT, ROOM]),
    "silent": build([*KEPT, ROOM], calls=(), exports=[PROBE]),
    "few": build([*KEPT, ROOM], calls=("write", "vfs")),
    "packed": build([*KEPT, ROOM], size=(1 << 20) + 100),
    "closed": build([*KEPT, ROOM], modules=False, exports=[PROBE]),
    "old": build([*KEPT, ROOM], says=b"Statically linked executables are not supported!"),
    "debug": build([*KEPT, ROOM], says=b"\0_ZN16unaligned_copierI"),
}
RECIPES: dict[str, dict[str, Any]] = {
    "a static program": {},
    "words and variables": {
        "command": ("/usr/bin/static", "a b", "-x"),
        "env": {"B": "c", "A": "b"},
    },
    "a dynamic program": {"programs": ["/usr/bin/dynamic"]},
    "by linux-ld": {"programs": ["/usr/bin/dynamic"], "launch": "linux-ld"},
    "by osv": {"programs": ["/usr/bin/dynamic"], "launch": "osv"},
    "static, asked for": {"launch": "static"},
    "all calls": {"strace": "syscall*"},
    "calls of a dynamic program": {"strace": "syscall*", "programs": ["/usr/bin/dynamic"]},
    "some calls": {"strace": "syscall_wri"},
    "no calls": {"strace": "vfs"},
    "a folder": {"working_directory": "/srv/my site"},
    "a script": {
        "programs": ["/usr/bin/python3.13"],
        "command": ("/usr/bin/python3.13", "/app/app.py", "x"),
        "working_directory": "/app",
    },
    "a script of another folder": {
        "programs": ["/usr/bin/python3.13"],
        "command": ("/usr/bin/python3.13", "/app/app.py"),
    },
    "what has no effect": {
        "on_exit": "restart",
        "stop_signal": "QUIT",
        "folders": [{"path": "/a", "mode": "0700"}, "/b"],
        "files": [{"source": "/etc/hosts", "owner": "7"}],
    },
    "libraries": {"files": ["/usr/lib/x86_64-linux-gnu", "/usr/lib/fs", "/usr/lib/a"]},
    "libraries of a dynamic program": {
        "programs": ["/usr/bin/dynamic"],
        "files": ["/usr/lib/x86_64-linux-gnu", "/usr/lib/fs", "/usr/lib/a"],
    },
    "nitro's driver": {"driver": "nitro"},
    "a program that is not named": {
        "files": [{"source": "/usr/bin/static", "path": "/x"}],
        "command": ("/x",),
    },
    "a dollar": {"command": ("/usr/bin/static", "$A")},
    "a command that is too long": {"command": ("/usr/bin/static", "x" * 40_000)},
    "UEFI": {"boot_mode": "uefi"},
    "a user": {"user": "nobody"},
    "a container image": {"from": "docker://x", "completed": True},
    "more than there is room for": {"files": ["/srv/large"]},
    "many files": {"files": ["/srv/many"]},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    root = tmp_path / "root"
    elves.write(root / "usr/bin/static")
    elves.write(root / "usr/bin/python3.13", needed=["libc.so.6"], interpreter=systems.LOADER)
    elves.write(
        root / "usr/bin/dynamic", needed=["libc.so.6", "liba.so.1"], interpreter=systems.LOADER
    )
    for name in ("x86_64-linux-gnu/liba.so.1", "x86_64-linux-gnu/libc.so.6"):
        elves.write(root / "usr/lib" / name)
    for name in ("fs/libb.so", "a/libc.so", "a/b/libd.so", "a/text", "x86_64-linux-gnu/liba.so.2"):
        systems.write(root / "usr/lib", {name: ""})
    elves.write(root / f"usr{systems.LOADER}")
    systems.write(
        root, {"lib64": "-> usr/lib64", "etc/hosts": "hosts\n", "srv/large": "x" * 50_000}
    )
    systems.write(root, {f"srv/many/{number:04}": "" for number in range(300)})
    return root


Build = Callable[[str, Mapping[str, Any]], str]


@pytest.fixture
def built(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    said: list[str] = []
    usual: list[str] = []

    class Heard(Reporter):
        def note(self, text: str) -> None:
            said.append(f"note: {text}")

    packages = (Package("gcc", "1", "all", "debian", "x", 1, "1" * 64),)

    def trees(wanted: Any, *, needed: Any, **_: Any) -> dict[Wanted, Tree]:
        asked = dict.fromkeys(wanted, packages)
        left = list(needed(asked))
        said.append(f"asked {[one.key for one in asked]}, unpacked {[one.key for one in left]}")
        return {one: Tree(root, packages) for one in left}

    def compiled(archive: Path, version: str, tools: Tree, report: Reporter) -> Path:
        said.append(f"compile {archive.name} for {version} with {tools.packages[0].name}")
        return elves.write(tmp_path / "module.so", imports=["osv_one"])

    monkeypatch.setattr(debian, "trees", trees)
    monkeypatch.setattr(driver, "compile_module", compiled)

    def built(kernel: str, keys: Mapping[str, Any]) -> str:
        said.clear()
        document = {
            "name": "test",
            "kernel": kernel,
            "programs": ["/usr/bin/static"],
            "sysroot": str(root),
            "extras": (),
            "driver": "kernel",
        }
        try:
            made = image.build(Recipe.model_validate({**document, **keys}), report=Heard())
        except NitroError as error:
            lines = [f"{type(error).__name__}: {error.what}", f"  {error.hint}"]
        else:
            manifest = json.loads(made.manifest_path.read_text())
            lines = [f"{one.subject}: {one.choice} ({one.reason})" for one in decisions.of(made)]
            lines.append(json.dumps({**manifest["kernel"], "layers": manifest["layers"]}))
            lines.append(f"{made.size_bytes} bytes, {made.minimum_memory_mib} MiB, {made.digest}")
            found = inspect(made.path)
            lines.append(f"{found.kernel} {found.boot} {found.matches_manifest}")
            names = [f"{one.path} {one.mode:o} {one.size} {one.target}" for one in found.files]
            shown = [one for one in names if one not in usual and "/srv/many/" not in one]
            usual.extend(shown)
            lines += shown
            lines.append(f"{len(names)} files")
        text = "\n".join(f"  {line}" for line in (*said, *lines))
        return text.replace(f"{tmp_path}/", "") + "\n"

    return built


def _add(tmp_path: Path, name: str) -> None:
    file = tmp_path / "loader.elf"
    whole = name == "packed"
    file.write_bytes(compressed_disk(KERNELS[name]) if whole else KERNELS[name])
    store.add(name, file, origin="here")


def test_recipes(built: Build, tmp_path: Path) -> None:
    _add(tmp_path, "mine")
    text = "".join(f"{name}\n{built('osv:mine', keys)}" for name, keys in RECIPES.items())
    compare(HERE / "recipes.txt", text.replace("x" * 100, "x"))


def test_kernels(built: Build, tmp_path: Path) -> None:
    text = f"none\n{built('osv', {})}"
    names = (
        "a static program",
        "by linux-ld",
        "a dynamic program",
        "nitro's driver",
        "all calls",
        "calls of a dynamic program",
        "many files",
    )
    for kernel in KERNELS:
        _add(tmp_path, kernel)
        for name in names if kernel != "packed" else names[:1]:
            text += f"{kernel}: {name}\n{built(f'osv:{kernel}', RECIPES[name])}"
        if kernel in ("mine", "without"):
            (store.find(kernel).path.parent / "headers.tar.gz").write_bytes(b"headers")
            text += f"{kernel} with headers\n{built('osv:' + kernel, RECIPES[names[3]])}"
            text += f"{kernel} without a name\n{built('osv', {'driver': 'nitro'})}"
    compare(HERE / "kernels.txt", text)
