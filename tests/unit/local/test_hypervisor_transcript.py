"""What the hypervisor does with guests, from their start to their end, as a transcript."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.arch import X86_64
from nitro.errors import NitroError
from nitro.local import accel, console_file, hotplug, qemu, qemu_hypervisor, restart, watch
from nitro.local.hypervisor import Disk, Guest, PortRange
from nitro.local.nic import MAP_LLQ_FILE, OFFLOADS_FILE, SHAPES_FILE
from nitro.local.qemu import Card, Qemu
from nitro.local.qemu_hypervisor import QemuHypervisor
from tests.transcripts import compare
from tests.unit.local.test_hypervisor import GUEST
from tests.unit.local.told import Told, shown

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
WEB = frozenset({PortRange("tcp", 80, 80)})
RICH = replace(
    GUEST,
    disks=(Disk("/dev/xvda", 1 << 30, "snap-1", "vol-01"), Disk("/dev/sdf", 5, None, "vol-02")),
    open_ports=WEB,
)


class World:
    """A hypervisor whose parts are stand-ins; `while_running` is what happens to a guest."""

    def __init__(self, told: Told, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.told = told
        self.fails: dict[str, Exception] = {}
        self.pressed: Any = True
        self.while_running: Callable[[], None] = lambda: None
        self.waits: list[Any] = []
        self.names_disks = True
        program = Qemu(("/usr/q",), (10, 1))
        for module, name, answer in (
            (qemu, "find", program),
            (accel, "best", "kvm"),
            (qemu, "press_power_button", lambda: self.pressed),
            (qemu, "needs_hpet", True),
            (hotplug, "plug", None),
            (hotplug, "unplug", None),
            (hotplug, "plugged", frozenset({"vol-01", "other"})),
            (hotplug, "stand_still", None),
            (hotplug, "go_on", None),
            (console_file, "read_end", b"console"),
            (console_file, "drop_beginning", None),
        ):
            patch.setattr(module, name, told.stand_in(name, self._answer(name, answer)))
        patch.setattr(qemu, "names_disks", lambda _: self.names_disks)
        patch.setattr(qemu_hypervisor, "threading", SimpleNamespace(Thread=self.thread))
        patch.setattr(qemu_hypervisor, "EnaNic", self.nic)
        patch.setattr(qemu_hypervisor, "Relay", self.relay)
        patch.setattr(
            qemu_hypervisor,
            "restart",
            told.stand_in("restart", self._answer("restart", self.restart)),
        )
        patch.setattr(qemu_hypervisor, "available_memory", lambda: 3000)
        patch.setattr(os, "cpu_count", lambda: 1)
        patch.setattr(qemu, "boot", self.boot)
        patch.setattr(watch, "wait_for_end", self.wait_for_end)
        for level in ("info", "warning", "exception"):
            patch.setattr(qemu_hypervisor.log, level, told.stand_in(level))
        subnet = SimpleNamespace(unplug=told.stand_in("unplug tap"), helper="dnsmasq")

        def make(disk: Disk) -> Path:
            self._fail("make")
            return folder / disk.volume_id

        def plug(*_: Any) -> Any:
            self._fail("plug tap")
            return subnet, 7

        volumes: Any = SimpleNamespace(make=told.stand_in("make", make))
        subnets: Any = SimpleNamespace(plug=told.stand_in("plug tap", plug))
        host: Any = "the host"
        self.hypervisor = QemuHypervisor(volumes, subnets, host, folder / "instances")

    def _fail(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    def _answer(self, name: str, answer: Any) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self._fail(name)
            if name == "restart":
                return answer(*args)
            return answer() if callable(answer) else answer

        return call

    def thread(self, target: Callable[..., None], args: Any = (), **more: Any) -> Any:
        """One that does its work when it is started."""
        self.told.note(f"    thread {more}")
        return SimpleNamespace(start=lambda: target(*args))

    def nic(self, *args: Any, **options: Any) -> Any:
        self.told.stand_in("EnaNic", self._answer("EnaNic", None))(*args, **options)
        close = self.told.stand_in("close card")
        return SimpleNamespace(name="ena", card=Card(("-device", "x")), helper="card", close=close)

    def relay(self, *args: Any) -> Any:
        self.told.stand_in("Relay")(*args)
        permit = self.told.stand_in("permit")
        return SimpleNamespace(permit=permit, close=self.told.stand_in("close relay"))

    def restart(self, folder: Path, grace: float, given_up: Any, meanwhile: Any) -> None:
        self.told.note(f"    given up {given_up()}")
        meanwhile()
        meanwhile()

    @contextmanager
    def boot(self, *args: Any) -> Iterator[Any]:
        self.told.stand_in("boot", self._answer("boot", None))(*args)

        def wait(*_: Any) -> int:
            found = self.waits.pop(0) if self.waits else 0
            if isinstance(found, Exception):
                raise found
            return int(found)

        terminate = self.told.stand_in("terminate")
        yield SimpleNamespace(terminate=terminate, wait=self.told.stand_in("wait", wait))
        self.told.note("    QEMU has ended")

    def wait_for_end(self, machine: Any, helpers: Any, look: Callable[[], None]) -> None:
        self.told.note(f"    waits for {machine.name}, {machine.log}, {list(helpers)}")
        self.while_running()
        look()
        self._fail("wait")

    def run(self, what: str, guest: Guest, script: Callable[[], None] = lambda: None) -> None:
        self.while_running = script
        self.told.outcome(what, self.hypervisor.start, guest)
        self.told.note(f"    {self.hypervisor.status(guest.instance_id)}")

    def ask(self, name: str, *args: Any, **options: Any) -> None:
        function = getattr(self.hypervisor, name)
        words = [shown(each) for each in args if not isinstance(each, Guest)]
        self.told.outcome(f"  {name} {words} {options}", function, *args, **options)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(Told(tmp_path, {repr(X86_64): "X86_64"}), tmp_path, monkeypatch)


def test_guests(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, ask = world.told, world.ask
    world.run("one that powers off", GUEST)
    world.run("one with more", RICH)
    world.names_disks = False
    bare = replace(RICH, disks=(), public_ip=None, boot_mode="uefi", vcpus=0, memory_mib=9000)
    world.run("one with less", bare)
    world.names_disks = True
    (tmp_path / OFFLOADS_FILE).write_text("all")
    (tmp_path / MAP_LLQ_FILE).touch()
    (tmp_path / SHAPES_FILE).write_text('{"c5.large": "in=5M"}')
    world.run("one with settings", replace(GUEST, instance_id="i-2"))
    world.run("one of no architecture", replace(GUEST, architecture="sparc"))
    errors = (NitroError("refused", hint="h"), OSError(28, "full"), ValueError("odd"))
    for name in ("make", "plug tap", "EnaNic", "best", "boot", "wait", "needs_hpet"):
        for error in errors:
            world.fails = {name: error}
            world.run(f"{name} fails: {error!r}", RICH)
    world.fails = {}

    def stopped() -> None:
        ask("stop", "i-1")
        ask("stop", "i-1", force=True)
        world.fails = {"wait": NitroError("killed")}

    world.run("one that is stopped", GUEST, stopped)
    world.fails = {}
    compare(HERE / "guests.txt", told.text)


def test_guests_that_run(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, ask, late = world.told, world.ask, subprocess.TimeoutExpired("q", 60)

    def ends() -> None:
        for pressed in (True, False):
            for waits in ([], [late]):
                world.pressed, world.waits = pressed, list(waits)
                ask("stop", "i-1")
        for error in (NitroError("no"), OSError(2, "gone"), ValueError("odd")):
            world.fails = {"press_power_button": error}
            ask("stop", "i-1")
        world.fails = {}

    world.run("ends", GUEST, ends)
    meanwhile = told.stand_in("meanwhile")

    def broken() -> None:
        raise RuntimeError("broken")

    def restarts() -> None:
        for what in (None, meanwhile, broken):
            ask("reboot", "i-1", what)
        for error in (NitroError("no"), OSError(2, "gone"), ValueError("odd")):
            world.fails = {"restart": error}
            ask("reboot", "i-1", meanwhile)
        world.fails = {}
        ask("stop", "i-1", force=True)
        ask("reboot", "i-1", meanwhile)

    world.run("restarts", GUEST, restarts)
    ask("reboot", "i-1", meanwhile)

    def updates() -> None:
        for changed in (
            replace(GUEST, open_ports=WEB),
            replace(GUEST, public_ip="127.42.0.2", open_ports=WEB),
            replace(GUEST, public_ip=None, open_ports=WEB),
            replace(GUEST, public_ip=None),
            GUEST,
        ):
            ask("update", changed)
            told.note(f"    {world.hypervisor.guest_at('10.0.0.4') == changed}")

    world.run("updates", GUEST, updates)
    ask("update", replace(GUEST, public_ip="127.42.0.2"))
    ask("guest_at", "10.0.0.4")

    def disks() -> None:
        disk = Disk("/dev/sdg", 9, None, "vol-0-3")
        errors = (None, NitroError("no"), OSError(2, "gone"), ValueError("odd"), KeyError("x"))
        for error in errors:
            for name in ("plug", "unplug", "plugged", "stand_still", "go_on"):
                world.fails = {name: error} if error else {}
                if name == "plug":
                    ask("attach", "i-1", disk)
                elif name == "unplug":
                    ask("detach", "i-1", "vol-01")
                elif name == "plugged":
                    ask("attached", "i-1")
                elif not isinstance(error, KeyError):
                    with world.hypervisor.paused("i-1"):
                        told.note("    paused")
                if error is None:
                    told.note(f"    ({name})")
        world.fails = {}
        ask("guest_at", "10.0.0.5")
        ask("console", "i-1")

    world.run("disks", RICH, disks)
    for name in ("attached", "console", "release", "stop"):
        ask(name, "i-1")
    with world.hypervisor.paused("i-1"):
        told.note("    not paused")
    for name in ("status", "stop", "reboot", "attached"):
        ask(name, "i-9")
    now = [0.0]

    def slept(seconds: float) -> None:
        now[0] += 1.0

    def closed() -> None:
        ask("close", 2.5)

    monkeypatch.setattr(time, "sleep", told.stand_in("sleep", slept))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    world.run("is closed", GUEST, closed)
    ask("close", 2.5)
    look = qemu_hypervisor._dropper(tmp_path / "console")
    for step in (0.0, 4.9, 0.1, 4.9, 0.2):
        now[0] += step
        told.outcome(f"{step} s later", look)
    monkeypatch.undo()
    for wanted in (0, 1, 2, 3):
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        told.note(f"{wanted} of 2: {qemu_hypervisor.capped_vcpus(wanted)}")
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        told.note(f"{wanted} of unknown: {qemu_hypervisor.capped_vcpus(wanted)}")
    for wanted, available in ((100, 9999), (512, 1024), (512, 1023), (512, 500), (9999, 1025)):
        told.note(f"{wanted} {available}: {qemu_hypervisor.capped_memory(wanted, available)}")
    for text in ("", "MemAvailable: 1024 kB\n", "a\nMemAvailable:  2047 kB", "xMemAvailable: 9 kB"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", lambda _, text=text: text)
            told.note(f"{text!r}: {qemu_hypervisor.available_memory()}")
    assert restart.LOOK_SECONDS > 0
    compare(HERE / "running-guests.txt", told.text)
