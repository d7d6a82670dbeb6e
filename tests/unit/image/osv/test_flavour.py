"""Recipes for OSv, built with a kernel that has no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro import image, recipe
from nitro.errors import InputError
from nitro.image import Image, decisions
from nitro.image.builder import lock_of
from nitro.image.inspect import inspect
from nitro.image.libraries import Sysroot
from nitro.image.osv import disk, store
from nitro.image.osv.flavour import Osv
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.unit.image import elves
from tests.unit.image.osv.kernel import SAMPLE, build

LINUX = "/lib64/ld-linux-x86-64.so.2"
ENVIRON = (0, b"/libenviron.so", b"environ")
VDSO = (0, b"/libvdso.so", b"vdso")
ROOM = (0, b"/room", bytes(30_000))


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with two programs, and a kernel that has been added."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    root = tmp_path / "root"
    elves.write(root / "usr/bin/static")
    elves.write(root / "usr/bin/dynamic", needed=["libc.so.6", "liba.so.1"], interpreter=LINUX)
    for name in ("liba.so.1", "libc.so.6"):
        elves.write(root / "usr/lib/x86_64-linux-gnu" / name)
    elves.write(root / "usr/lib64/ld-linux-x86-64.so.2")
    (root / "lib64").symlink_to("usr/lib64")
    (tmp_path / "loader.elf").write_bytes(build([*SAMPLE, ENVIRON, VDSO, ROOM]))
    store.add("mine", tmp_path / "loader.elf", origin="here")
    return root


def made(root: Path, program: str = "static", **keys: Any) -> Recipe:
    document = {
        "name": "test",
        "kernel": "osv:mine",
        "programs": [{"source": f"/usr/bin/{program}"}],
        "sysroot": str(root),
        "extras": (),
        "driver": "kernel",
        **keys,
    }
    return Recipe.model_validate(document)


def files(built: Image) -> set[str]:
    return {file.path for file in inspect(built.path).files}


@pytest.mark.extended
def test_an_image_is_built_and_read_back(root: Path) -> None:
    built = image.build(made(root, command=("/usr/bin/static", "a b"), env={"A": "b"}))
    assert disk.read(built.path).command_line == (
        '--rootfs=ramfs --bootchart --verbose --power-off-on-abort --env=A=b /usr/bin/static "a b"'
    )
    manifest = json.loads(built.manifest_path.read_text())
    assert manifest["kernel"]["release"] == "OSv v0.57.0-1-g0"
    assert manifest["kernel"]["sha256"] == store.find("mine").about["kernel_sha256"]
    found = inspect(built.path)
    assert found.kernel == "OSv v0.57.0-1-g0"
    assert found.matches_manifest
    assert built.boot_mode == "legacy-bios"
    assert built.minimum_memory_mib == 96


def test_nothing_is_supplied_before_the_program_has_been_seen(root: Path) -> None:
    dynamic = made(root, "dynamic")
    flavour = Osv(dynamic, lock_of(dynamic), Reporter(), trace=False)
    assert not flavour.supplies("libc.so.6")
    flavour.examine("/usr/bin/dynamic", root / "usr/bin/dynamic", Sysroot(root, root))
    assert flavour.supplies("libc.so.6")
    assert not flavour.supplies("liba.so.1")


def test_osvs_own_driver_is_run_with_one_processor(root: Path, tmp_path: Path) -> None:
    built = image.build(made(root))
    assert built.processors == 1
    assert "processors" in [one.subject for one in decisions.of(built)]
    (tmp_path / "loader.elf").write_bytes(
        build([ENVIRON, ROOM]).replace(b"N3aws3enaE", b"N3aws3enbE")
    )
    store.add("mine", tmp_path / "loader.elf", origin="here")
    assert image.build(made(root)).processors is None


def test_the_kernels_own_files_stay_out_but_for_what_it_opens(root: Path) -> None:
    found = files(image.build(made(root)))
    assert {"/libenviron.so", "/libvdso.so", "/etc/fstab", "/dev/", "/usr/bin/static"} <= found
    assert "/libenv.so" not in found


def test_osvs_linker_plays_libraries_and_finds_the_others(root: Path) -> None:
    found = inspect(image.build(made(root, "dynamic")).path).files
    names = {file.path: file.target for file in found}
    assert names["/usr/lib/liba.so.1"] == "x86_64-linux-gnu/liba.so.1"
    assert not [name for name in names if "libc.so" in name or "ld-linux" in name]


def test_linuxs_linker_gets_all_libraries_and_starts_the_program(root: Path) -> None:
    built = image.build(made(root, "dynamic", launch="linux-ld"))
    assert disk.read(built.path).command_line.endswith(f" {LINUX} /usr/bin/dynamic")
    assert "/usr/lib/x86_64-linux-gnu/libc.so.6" in files(built)


@pytest.mark.parametrize(
    ("own", "hint"), [(True, "uses OSv's own"), (False, "does without a network")]
)
def test_a_driver_that_cannot_be_in_the_image(
    own: bool, hint: str, root: Path, tmp_path: Path
) -> None:
    """Without headers, or in a kernel that would not open it: what else there is, is said."""
    exports = ["_ZN3aws3ena5probeEPN2hw9hw_deviceE"]
    wanted = [(True, "cannot be compiled for osv:mine"), (False, "opens no modules in /usr/lib/fs")]
    for modules, what in wanted:
        content = build([ENVIRON, ROOM], modules=modules, exports=exports)
        if not own:
            content = content.replace(b"N3aws3enaE", b"N3aws3enbE")
        (tmp_path / "loader.elf").write_bytes(content)
        store.add("mine", tmp_path / "loader.elf", origin="here")
        with pytest.raises(InputError, match=what) as refused:
            image.build(made(root, driver="nitro"))
        assert hint in (refused.value.hint or "")


def test_strace_is_an_option_of_the_kernel(root: Path) -> None:
    built = image.build(made(root, strace="syscall*"))
    assert " --trace=^syscall* --strace " in disk.read(built.path).command_line


def test_a_program_that_makes_no_system_calls_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    report = Reporter()
    monkeypatch.setattr(report, "note", said.append)
    image.build(made(root, strace="syscall*"), report=report)
    assert not [line for line in said if "system calls" in line]
    image.build(made(root, "dynamic", strace="syscall*", launch="osv"), report=report)
    [line] = [line for line in said if "system calls" in line]
    assert line.startswith("test: /usr/bin/dynamic makes no system calls")


def test_the_command_starts_where_the_recipe_says(root: Path) -> None:
    built = image.build(made(root, working_directory="/srv/my site"))
    assert " --cwd=/srv/my\\ site " in disk.read(built.path).command_line
    assert "/srv/my site/" in files(built)


@pytest.mark.parametrize(("folder", "end"), [("/app", "-m app"), ("/", "/app/app.py")])
def test_a_python_script_is_started_as_a_module(root: Path, folder: str, end: str) -> None:
    elves.write(root / "usr/bin/python3.13")
    command = ("/usr/bin/python3.13", "/app/app.py")
    built = image.build(made(root, "python3.13", command=command, working_directory=folder))
    assert disk.read(built.path).command_line.endswith(f" /usr/bin/python3.13 {end}")
    [choice] = [one.choice for one in decisions.of(built) if one.subject == "command"]
    assert choice.endswith(end)


def test_what_has_no_effect_is_said_and_explained(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    report = Reporter()
    monkeypatch.setattr(report, "note", said.append)
    built = image.build(made(root, on_exit="restart"), report=report)
    assert 'test: on_exit = "restart" has no effect: OSv powers off' in "\n".join(said)
    assert [one.choice for one in decisions.of(built) if one.subject == "ignored"] == [
        'on_exit = "restart"'
    ]


@pytest.mark.parametrize(
    ("calls", "what"),
    [((), "does not write traces"), (("write",), 'no tracepoint that begins with "vfs"')],
)
def test_a_trace_that_the_kernel_cannot_write(
    calls: tuple[str, ...], what: str, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "loader.elf").write_bytes(build([ENVIRON, ROOM], calls=calls))
    store.add("mine", tmp_path / "loader.elf", origin="here")
    with pytest.raises(InputError, match=what):
        image.build(made(root, strace="vfs"))


@pytest.mark.extended
def test_the_kernel_is_an_input(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text(
        f'kernel = "osv"\nprograms = ["/usr/bin/static"]\nsysroot = "{root}"\n'
        'extras = []\ndriver = "kernel"\n'
    )
    first = image.build(recipe.load(path))
    assert image.known(path)
    (tmp_path / "loader.elf").write_bytes(build([ENVIRON, ROOM], version=b"v0.58.0"))
    store.add("mine", tmp_path / "loader.elf", origin="here")
    assert image.known(path) is None
    assert image.build(recipe.load(path)).digest != first.digest


def test_what_is_missing_is_said_before_packages_are_looked_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.toml"
    path.write_text(
        f'kernel = "osv"\nprograms = ["/usr/bin/static"]\nsysroot = "{root}"\nextras = []\n'
    )
    monkeypatch.setattr("nitro.debian.trees", None)
    with pytest.raises(InputError, match="ENA driver of osv:mine") as refused:
        image.build(recipe.load(path))
    assert "--driver kernel" in str(refused.value)


def test_another_kernel_than_the_recipes_is_not_remembered_for_it(
    root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "one.toml"
    path.write_text(f'programs = ["/usr/bin/static"]\nsysroot = "{root}"\nextras = []\n')
    built = recipe.with_kernel(
        recipe.load(path).model_copy(update={"driver": "kernel"}), "osv:mine"
    )
    assert image.build(built).path.exists()
    assert image.known(path) is None


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"kernel": "osv:other"}, "no OSv kernel 'other'"),
        ({"boot_mode": "uefi"}, "OSv boots by BIOS only"),
        ({"user": "nobody"}, "OSv has no users"),
        ({"command": ("/usr/bin/static", "$A")}, "dollar"),
        ({"command": ("/usr/bin/static", "x" * 40_000)}, "the command line has"),
        ({"command": ("/etc/fstab",)}, "/etc/fstab is not in the image"),
        (
            {"files": [{"source": "/usr/bin/static", "path": "/x"}], "command": ("/x",)},
            "/x is not among programs",
        ),
        ({"launch": "linux-ld"}, "does not fit"),
        ({"kernel": "linux", "launch": "osv"}, "launch is for OSv"),
        ({"files": [{"source": "/usr/bin/static", "path": "/" + "x" * 120}]}, "longer than the"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], what: str, root: Path) -> None:
    with pytest.raises(InputError, match=what):
        image.build(made(root, **keys))


@pytest.mark.extended
def test_a_kernel_for_another_file_system_gets_a_ramfs(root: Path) -> None:
    (root / "loader.elf").write_bytes(build([]))
    store.add("bare", root / "loader.elf", origin="here")
    built = image.build(made(root, kernel="osv:bare"))
    assert {"/usr/bin/static", "/etc/fstab"} <= files(built)


def test_a_path_that_is_too_long_asks_for_a_shorter_one(root: Path) -> None:
    longest = "/" + "x" * 109
    kept = [{"source": "/usr/bin/static", "path": longest}]
    assert longest in files(image.build(made(root, files=kept)))
    longer = [{"source": "/usr/bin/static", "path": longest + "x"}]
    with pytest.raises(InputError, match="longer than the 110 bytes") as refused:
        image.build(made(root, files=longer))
    assert refused.value.hint == "give it a shorter path, or leave it out with exclude"


@pytest.mark.extended
def test_contents_that_are_too_large_ask_for_less(root: Path) -> None:
    kept = [{"source": "/usr/bin/data", "path": "/data"}]
    source = root / "usr/bin/data"
    with source.open("wb") as sparse:
        sparse.truncate(1 << 30)
    with pytest.raises(InputError, match="test: kernel and files take") as refused:
        image.build(made(root, files=kept))
    assert refused.value.hint == "make the image smaller"
