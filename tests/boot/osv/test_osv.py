"""A real OSv kernel: the file NITRO_OSV_KERNEL, built in the source tree NITRO_OSV_SOURCE."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitro import ending, recipe, strace
from nitro.console import milestones
from nitro.debian import tree
from nitro.errors import InputError
from nitro.image import build, decisions
from nitro.image.formats import symbols
from nitro.image.osv import driver, store
from nitro.local import accel, qemu
from nitro.progress import Reporter
from nitro.recipe import Recipe

KERNEL, SOURCE = os.environ.get("NITRO_OSV_KERNEL"), os.environ.get("NITRO_OSV_SOURCE")

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not KERNEL, reason="NITRO_OSV_KERNEL is not set"),
]


@pytest.fixture
def osv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Stored:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    return store.add(
        "real", Path(KERNEL or ""), origin="test", source=Path(SOURCE) if SOURCE else None
    )


def console(made: Recipe, folder: Path) -> str:
    """What an image of the recipe writes until it powers off."""
    emulator = qemu.find()
    machine = qemu.Machine(
        disks=(qemu.Disk(build(made.model_copy(update={"changed": True})).path),),
        memory_mib=256,
        accelerator=accel.best(emulator),
        console=folder / "console",
        hpet=True,
        extra=("-snapshot", "-no-reboot"),
    )
    with qemu.boot(emulator, machine, folder) as process:
        process.wait(120)
    return (folder / "console").read_text(errors="replace")


@pytest.mark.parametrize("own", [True, False], ids=["OSv's driver", "nitro's driver"])
def test_the_shipped_recipe_says_hello(osv: store.Stored, own: bool, tmp_path: Path) -> None:
    if not own and not SOURCE:
        pytest.skip("NITRO_OSV_SOURCE is not set")
    made = recipe.load("osv-hello").model_copy(update={"driver": "kernel" if own else "nitro"})
    text = console(made, tmp_path)
    assert "Hello from OSv" in text
    names = [milestone.name for milestone in milestones(text)]
    assert [name for name in names if name in ("kernel", "start", "ready")] == [
        "kernel",
        "start",
        "ready",
    ]


def test_the_folder_the_calls_and_the_end_of_a_program(osv: store.Stored, tmp_path: Path) -> None:
    path = tmp_path / "shell.toml"
    path.write_text(
        'kernel = "osv"\npackages = ["busybox-static"]\nprograms = ["/usr/bin/busybox"]\n'
        'command = ["/usr/bin/busybox", "sh", "-c", "pwd; exit 3"]\nextras = []\n'
        'working_directory = "/srv/a b"\nstrace = "syscall*"\ndriver = "kernel"\n'
    )
    made = recipe.load(path)
    try:
        found = decisions.of(build(made))
    except InputError as error:
        pytest.skip(str(error))
    if any("mode=debug" in one.reason for one in found):
        pytest.skip("a debug build starts no static programs")
    text = console(made, tmp_path)
    [end] = ending.endings(text)
    assert (end.status, end.restarts) == (3, False)
    assert "/srv/a b" in ending.output(text).splitlines()
    counted = {total.name: total.count for total in strace.totals(strace.calls(text))}
    assert counted["write"] >= 1
    assert not ending.panic(text)


@pytest.mark.skipif(not SOURCE, reason="NITRO_OSV_SOURCE is not set")
def test_the_driver_needs_what_the_kernel_exports(osv: store.Stored) -> None:
    assert osv.headers
    module = driver.compile_module(
        osv.headers, osv.about["version"], tree(driver.COMPILER), Reporter()
    )
    needed = symbols.read(module.read_bytes()).needed
    assert needed
    assert needed <= osv.kernel().segment.symbols.keys()
