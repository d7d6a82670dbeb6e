"""A restart, asked of a stand-in for QEMU. A guest is restarted in tests/boot/local."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nitro.local import qemu, restart


@dataclass
class StandIn:
    """A machine whose guest may listen to the power button, and may shut down after `looks`."""

    listens: bool = True
    looks: float = 1
    action: str = "poweroff"
    status: str = "running"
    pressed: bool = False
    given: list[str] = field(default_factory=list)

    def do(self, command: str, arguments: dict[str, str]) -> object:
        self.given.append(command)
        if command == "human-monitor-command":
            return "portw[0x0602] = 0x0321\r\n" if self.listens else "portw[0x0602] = 0x0021\r\n"
        if command == "set-action":
            self.action = arguments["shutdown"]
        if command == "system_powerdown":
            self.pressed = True
        if command == "query-status":
            self.looks -= self.pressed
            if self.status == "running" and self.pressed and self.looks <= 0:
                assert self.action == "pause", "QEMU would have ended"
                self.status = "shutdown"
            return {"status": self.status}
        if command == "stop":
            self.status = "paused"
        if command == "cont":
            self.status = "running"
        return {}


@contextmanager
def serving(machine: StandIn, folder: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "qmp"))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, peer.makefile("rw") as channel:
                    channel.write('{"QMP": {}}\n')
                    channel.flush()
                    for line in channel:
                        asked = json.loads(line)
                        answer = machine.do(asked["execute"], asked.get("arguments", {}))
                        channel.write(json.dumps({"return": answer}) + "\n")
                        channel.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "LOOK_SECONDS", 0)


def restarted(machine: StandIn, folder: Path, grace: float = 60, given_up: bool = False) -> str:
    """Returns the machine's status meanwhile; "": it was not restarted."""
    meanwhile: list[str] = []
    with serving(machine, folder):
        restart.restart(folder, grace, lambda: given_up, lambda: meanwhile.append(machine.status))
    assert machine.action == "poweroff"
    return "".join(meanwhile)


def test_a_guest_that_listens_shuts_down_before_the_reset(tmp_path: Path) -> None:
    machine = StandIn(looks=3)
    assert restarted(machine, tmp_path) == "paused"
    assert machine.status == "running"
    commands = [each for each in machine.given if each != "qmp_capabilities"]
    assert commands.count("query-status") == 3
    assert commands[-4:] == ["set-action", "stop", "system_reset", "cont"]


def test_a_guest_that_does_not_listen_is_reset(tmp_path: Path) -> None:
    machine = StandIn(listens=False)
    restarted(machine, tmp_path)
    assert "query-status" not in machine.given
    assert "system_reset" in machine.given


def test_a_guest_that_takes_too_long_is_reset(tmp_path: Path) -> None:
    machine = StandIn(looks=float("inf"))
    restarted(machine, tmp_path, grace=0)
    assert "system_reset" in machine.given


@pytest.mark.parametrize("looks", [1, float("inf")])
def test_a_machine_that_is_stopped_meanwhile_is_not_started_again(
    tmp_path: Path, looks: float
) -> None:
    machine = StandIn(looks=looks)
    assert restarted(machine, tmp_path, given_up=True) == ""
    assert "system_reset" not in machine.given
    assert ("quit" in machine.given) is (looks == 1)


@pytest.mark.slow
@pytest.mark.parametrize("listens", [True, False])
def test_qemu_restarts_a_machine(tmp_path: Path, listens: bool) -> None:
    """One without a disk, whose ACPI registers are written from outside in place of a guest."""
    machine = qemu.Machine(
        console=tmp_path / "console", extra=("-qmp", "unix:guest,server=on,wait=off")
    )
    with qemu.boot(qemu.find(), machine, tmp_path) as process:
        wait(lambda: (tmp_path / "guest").exists())
        with qemu.control(tmp_path, "guest") as ask:

            def hmp(line: str) -> str:
                return str(ask("human-monitor-command", {"command-line": line}))

            def register(port: int) -> int:
                return int(hmp(f"i/h {port:#x}").rpartition("=")[2], 16)

            wait(lambda: register(0x602) != 0xFFFF)  # the firmware has placed the registers
            hmp(f"o/h 0x602 {0x100 if listens else 0:#x}")  # PWRBTN_EN
            ended: list[bool] = []

            def run() -> None:
                restart.restart(tmp_path, 20, lambda: False)
                ended.append(True)

            thread = threading.Thread(target=run)
            thread.start()
            if listens:
                wait(lambda: register(0x600) & 0x100 != 0)  # PWRBTN_STS
                assert not ended
                hmp("o/h 0x604 0x2000")  # SLP_EN, of type S5: the guest turns itself off
            thread.join(10)
            assert ended
            assert ask("query-status")["status"] == "running"  # type: ignore[index]
            wait(lambda: register(0x602) == 0)  # as the firmware leaves it after a reset
            assert process.poll() is None
            hmp("o/h 0x604 0x2000")
        assert process.wait(10) == 0, "turned off by its guest, a machine ends"


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
