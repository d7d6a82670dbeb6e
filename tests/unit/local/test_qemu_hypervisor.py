"""What a guest gets of this machine. Guests themselves run in tests/boot/local."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local import accel, qemu, qemu_hypervisor, watch
from nitro.local.hypervisor import Guest, GuestStatus, Network, State
from nitro.local.qemu_hypervisor import (
    MINIMUM_MEMORY_MIB,
    QemuHypervisor,
    available_memory,
    capped_memory,
    capped_vcpus,
)
from nitro.local.watch import Helper


@given(st.integers(1, 448))
def test_no_more_processors_than_there_are(wanted: int) -> None:
    assert 1 <= capped_vcpus(wanted) <= min(wanted, os.cpu_count() or 1)


@given(st.integers(512, 10**6), st.integers(0, 10**6))
def test_no_more_than_half_of_the_memory_left(wanted: int, available: int) -> None:
    given_mib = capped_memory(wanted, available)
    assert given_mib <= wanted
    assert given_mib == MINIMUM_MEMORY_MIB or given_mib <= available / 2


def test_the_memory_left_is_that_of_this_machine() -> None:
    assert 0 < available_memory() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def test_the_memory_left_is_a_line_of_proc_in_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "MemTotal:  8000000 kB\nMemFree:  100000 kB\nMemAvailable:    2097153 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert available_memory() == 2048


GUEST = Guest(
    "i-1",
    "ami-1",
    "c5.large",
    "x86_64",
    "legacy-bios",
    vcpus=1,
    memory_mib=512,
    disks=(),
    network=Network("subnet-1", "vpc-1", "10.0.0.0/24"),
    mac="02:00:00:00:00:01",
    private_ip="10.0.0.4",
    public_ip=None,
)


@dataclass
class Run:
    """A machine that runs. Its processes, by name, are stand-ins that the test ends."""

    hypervisor: QemuHypervisor
    helpers: dict[str, Helper]

    def final(self) -> GuestStatus:
        while (status := self.hypervisor.status("i-1")).state is State.RUNNING:
            time.sleep(0.001)
        return status


class Wires:
    """All subnets, and one whose dnsmasq is a stand-in."""

    def __init__(self, start: Callable[[str], Helper]) -> None:
        self.helper = start("dnsmasq of 10.0.0.1")
        self.plugged: list[str] = []

    def plug(self, network: Network, tap_name: str, mac: str, ipv4: str) -> tuple[Wires, int]:
        self.plugged.append(mac)
        return self, 0

    def unplug(self, mac: str) -> None:
        self.plugged.remove(mac)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    found: dict[str, Helper] = {}

    def start(name: str) -> Helper:
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        found[name] = Helper(name, process, tmp_path / "log")
        return found[name]

    class Card:
        name, card = "ena", qemu.Card(())

        def __init__(self, *_: object, **__: object) -> None:
            self.helper = start("the ENA card")

        def close(self) -> None:
            qemu.end(self.helper.process)

    @contextmanager
    def boot(*_: object) -> Iterator[subprocess.Popen[bytes]]:
        process = start("QEMU").process
        try:
            yield process
        finally:
            qemu.end(process)

    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "END_SECONDS", 0.01)
    monkeypatch.setattr(qemu, "find", lambda **_: None)
    monkeypatch.setattr(qemu, "names_disks", lambda _: True)
    monkeypatch.setattr(qemu, "boot", boot)
    monkeypatch.setattr(accel, "best", lambda _: "tcg")
    monkeypatch.setattr(qemu_hypervisor, "EnaNic", Card)
    wires: Any = Wires(start)
    nothing: Any = None
    hypervisor = QemuHypervisor(nothing, wires, nothing, tmp_path)
    hypervisor.start(GUEST)
    while hypervisor.status("i-1").state is State.STARTING:
        time.sleep(0.001)
    yield Run(hypervisor, found)
    for helper in found.values():
        helper.process.kill()
        helper.process.communicate()
    assert wires.plugged == []


@pytest.mark.parametrize("name", ["QEMU", "the ENA card", "dnsmasq of 10.0.0.1"])
def test_a_guest_fails_with_the_name_of_what_died(run: Run, name: str) -> None:
    run.helpers[name].process.kill()
    status = run.final()
    assert status.state is State.FAILED
    assert status.reason.startswith(f"{name} was killed by SIGKILL")
    assert "its log is" in status.reason


def test_a_guest_that_is_stopped_has_not_failed(run: Run) -> None:
    run.hypervisor.stop("i-1")
    assert run.final().state is State.OFF


def test_a_guest_that_powers_off_has_not_failed(run: Run) -> None:
    stdin = run.helpers["QEMU"].process.stdin
    assert stdin
    stdin.close()
    assert run.final().state is State.OFF


def test_a_console_is_kept_small_while_its_machine_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = tmp_path / "i-1" / "console"
    console.write_bytes(b"x" * (1 << 22))
    monkeypatch.setattr(qemu_hypervisor, "CONSOLE_LOOK", 0.0)
    while console.stat().st_blocks * 512 >= 1 << 18:
        time.sleep(0.001)
    run.hypervisor.stop("i-1")
    assert run.final().state is State.OFF
