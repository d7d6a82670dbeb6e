"""QEMU's command lines, programs and processes, as transcripts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro import debian
from nitro.arch import X86_64
from nitro.local import accel, programs, qemu
from nitro.local.qemu import Card, Disk, Machine, Qemu
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


def machines(folder: Path) -> dict[str, Machine]:
    root, data = Disk(folder / "root"), Disk(folder / "data, more", "vol,1", "a model,", "vol-1")
    console = folder / "console"
    return {
        "nothing": Machine(),
        "a terminal": Machine(disks=(root,)),
        "a console": Machine(disks=(root,), console=console),
        "a console with a comma": Machine(console=folder / "a,b"),
        "an instance": Machine(
            disks=(root, data), vcpus=3, memory_mib=1024, instance_id="i-1", product="c5.large"
        ),
        "odd names": Machine(instance_id="i,1", product="c5,large"),
        "hot plug": Machine(disks=(root, data, data), hot_plug=True),
        "no hot plug": Machine(disks=(data, root)),
        "KVM": Machine(accelerator="kvm", hpet=False),
        "an HPET": Machine(hpet=True),
        "a card": Machine(cards=(Card(("-device", "one")),)),
        "cards": Machine(
            cards=(Card(("-device", "one")), Card(("-device", "two"), (5, 6), shared_memory=True)),
            memory_mib=300,
        ),
        "UEFI": Machine(disks=(root,), boot_mode="uefi"),
        "a kernel": Machine(disks=(root,), kernel=folder / "linux", append="quiet"),
        "a kernel with files": Machine(kernel=folder / "linux", initrd=folder / "initrd"),
        "files without a kernel": Machine(initrd=folder / "initrd", append="unused"),
        "more": Machine(extra=("-device", "isa-debug-exit"), vcpus=0),
    }


def test_command_lines(tmp_path: Path) -> None:
    told = Told(tmp_path)
    firmware: Any = SimpleNamespace(path=lambda path: Path(f"/deb{path}"))
    for name, machine in machines(tmp_path).items():
        told.outcome(name, qemu.arguments, machine, tmp_path, firmware)
    uefi = Machine(boot_mode="uefi")
    told.outcome("UEFI without its firmware", qemu.arguments, uefi, tmp_path)
    other = replace(X86_64, qemu_board="virt", qemu_tcg_cpu="cortex", firmware=("/a", "/b"))
    told.outcome("another architecture", qemu.arguments, uefi, tmp_path, firmware, other)
    told.outcome("packages", qemu.firmware_packages)
    told.outcome("other packages", qemu.firmware_packages, replace(X86_64, firmware_package="x"))
    for name in ("", "i-1", "i-2"):
        told.outcome(f"UUID of {name!r}", qemu.ec2_uuid, name)
    disk = tmp_path / "disk"
    for at, mark in ((0x1B8, b"VSO"), (0x1B7, b"VSO"), (0x1B9, b"VSO"), (0x1B8, b"VSX"), (0, b"")):
        disk.write_bytes(bytes(at) + mark + bytes(4))
        for accelerator in ("kvm", "tcg", ""):
            told.outcome(f"{mark!r} at {at:#x} {accelerator}", qemu.needs_hpet, disk, accelerator)
    told.note(f"{qemu.place(0)} {qemu.place(3)}")
    compare(HERE / "qemu-lines.txt", told.text)


def test_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    found: dict[str, str] = {}
    packages = [SimpleNamespace(name="other", version="1.2"), SimpleNamespace(name="", version="")]
    tree = SimpleNamespace(
        program=told.stand_in("program", lambda name: ["/deb/ld", f"/deb/{name}"]),
        path=told.stand_in("path", lambda path: Path(f"/deb{path}")),
        packages=packages,
    )

    def run(command: Any, **_: Any) -> Any:
        words = " ".join(command)
        for part, said in answers.items():
            if part in words:
                if said is None:
                    raise subprocess.TimeoutExpired(words, 30)
                return subprocess.CompletedProcess(command, 1, said, "")
        return subprocess.CompletedProcess(command, 0, "", "")

    answers: dict[str, Any] = {}
    monkeypatch.setattr(debian, "tree", told.stand_in("tree", lambda *_, **__: tree))
    monkeypatch.setattr(shutil, "which", told.stand_in("which", found.get))
    monkeypatch.setattr(subprocess, "run", told.stand_in("run", run))
    vfio = 'name "vfio-user-pci", bus PCI'
    scripts: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("none here", "", {}),
        ("too old", "/usr/q1", {"help": 'name "vfio-pci"', "--version": "version 7.2"}),
        ("new enough", "/usr/q2", {"help": vfio, "--version": "QEMU emulator version 10.1.2 (x)"}),
        ("one number", "/usr/q3", {"help": vfio, "--version": "version 11"}),
        ("no version", "/usr/q4", {"help": vfio, "--version": "qemu 11"}),
        ("hangs", "/usr/q5", {"help": None}),
    )
    for what, program, said in scripts:
        for cached in (qemu._has_vfio_user, qemu._version):
            cached.cache_clear()
        found.clear()
        if program:
            found["qemu-system-x86_64"] = program
        answers = said
        for version in ("1:11.1.3+ds-1~bpo13+1", "10.2", "odd"):
            packages[1] = SimpleNamespace(name="qemu-system-x86", version=version)
            made = told.outcome(f"{what}, Debian's {version}", qemu.find)
            if made:
                told.note(f"    version {made.version_text!r}")
            if program:
                break
    other = replace(X86_64, qemu="arm", qemu_package="qemu-system-arm")
    packages[1] = SimpleNamespace(name="qemu-system-arm", version="1:9.8")
    told.outcome("of another architecture", qemu.find, None, other)
    packages.pop()
    told.outcome("not in the tree", qemu.find)
    packages.append(SimpleNamespace(name="qemu-system-x86", version="1"))
    found["qemu-img"] = "/usr/bin/qemu-img"
    told.outcome("all programs", programs.find)
    for help_text in ("  model=<str>", "  serial=<str>", "model="):
        qemu.names_disks.cache_clear()
        answers = {"nvme,help": help_text}
        told.outcome(help_text, qemu.names_disks, Qemu(("/usr/q", "-L"), (1,)))
    for cached in (qemu._has_vfio_user, qemu._version, qemu.names_disks):
        cached.cache_clear()
    compare(HERE / "qemu-programs.txt", told.text)


class Process:
    """A process of which all is noted."""

    def __init__(self, told: Told, waits: list[Any], codes: list[int | None]) -> None:
        self._waits, self._codes = waits, codes
        for name in ("terminate", "kill"):
            setattr(self, name, told.stand_in(name))
        self.wait = told.stand_in("wait", self._wait)

    def _wait(self, *_: Any, **__: Any) -> Any:
        found = self._waits.pop(0) if self._waits else 0
        if isinstance(found, Exception):
            raise found
        return found

    def poll(self) -> int | None:
        return self._codes.pop(0) if self._codes else None


def test_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    late = subprocess.TimeoutExpired("qemu", 5)
    waits: list[Any] = []
    codes: list[int | None] = []
    firmware = SimpleNamespace(path=lambda path: Path(f"/deb{path}"))

    def started(*_: Any, **__: Any) -> Any:
        return Process(told, waits, codes)

    stream = SimpleNamespace(fileno=lambda: 40)
    monkeypatch.setattr(qemu.sys, "stdin", stream)  # type: ignore[attr-defined]
    monkeypatch.setattr(debian, "tree", told.stand_in("tree", lambda *_, **__: firmware))
    opened = "stdout"

    def popen(command: Any, **options: Any) -> Any:
        shown = {name: value for name, value in options.items() if name != opened}
        if isinstance(options[opened], int) and options[opened] >= 0:
            shown[opened] = "the log" if options[opened] == options["stderr"].fileno() else "ours"
        else:
            shown[opened] = options[opened]
        return told.stand_in("Popen", started)(len(command), command[:2], **shown)

    monkeypatch.setattr(subprocess, "Popen", popen)
    program = Qemu(("/usr/q", "-L"), (10, 1))

    def run(machine: Machine, **options: Any) -> None:
        with qemu.boot(program, machine, tmp_path, **options):
            told.note("    runs")

    console = Machine(console=tmp_path / "console")
    for what, machine, options in (
        ("with a console", console, {}),
        ("with a console and pipes", console, {"pipes": True}),
        ("with pipes", Machine(), {"pipes": True}),
        ("UEFI", replace(console, boot_mode="uefi"), {}),
        ("cards", replace(console, cards=(Card((), (5,)), Card((), (6, 7)))), {}),
    ):
        told.outcome(what, run, machine, **options)
    for what, script, ended in (
        ("ends when asked", [0], []),
        ("has to be made", [late, 0], []),
        ("has ended", [], [0]),
        ("failed", [], [3]),
    ):
        waits[:], codes[:] = script, ended
        told.outcome(what, qemu.end, started())
    monkeypatch.undo()
    compare(HERE / "qemu-processes.txt", told.text)


def test_accelerators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    waits: list[Any] = []

    @contextmanager
    def boot(program: Qemu, machine: Machine, folder: Path) -> Iterator[Any]:
        content = machine.disks[0].path.read_bytes()
        fixed = replace(machine, disks=(), console=None)
        told.note(f"    boot({program}, {fixed})")
        told.note(
            f"    {machine.console == folder / 'console'} {machine.disks[0].path.parent == folder}"
        )
        told.note(f"    {len(content)} bytes, {content[:0x88].hex()} {content[508:514].hex()}")
        yield Process(told, waits, [])

    monkeypatch.setattr(accel, "boot", boot)
    kvm = tmp_path / "kvm"
    program = Qemu(("/usr/q",), (10, 1))
    told.outcome("no device", accel.best, program, kvm=kvm)
    kvm.touch()
    for code in (85, 84, 0, subprocess.TimeoutExpired("q", 2)):
        waits[:] = [code]
        told.outcome(f"boots: {code}", accel.boots, program, "kvm")
        (tmp_path / "cache" / "accelerator.json").unlink(missing_ok=True)
        waits[:] = [code]
        told.outcome(f"best: {code}", accel.best, program, kvm=kvm)
        told.outcome("again", accel.best, program, kvm=kvm)
        told.outcome("of another version", accel.best, Qemu(("/usr/q",), (10, 2)), kvm=kvm)
    known = json.loads((tmp_path / "cache" / "accelerator.json").read_text())
    told.note(f"{known['key'].split()[1:]} {known['accelerator']}")
    other = replace(X86_64, ec2="other")
    told.outcome("another architecture", accel.best, Qemu(("/usr/q",), (10,), other), kvm=kvm)
    compare(HERE / "accelerators.txt", told.text)
