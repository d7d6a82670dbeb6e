"""What is said when QEMU or one of its helpers dies. The processes are the test's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nitro.errors import NitroError
from nitro.local import watch
from nitro.local.watch import Helper, wait_for_end

Start = Callable[..., Helper]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "END_SECONDS", 0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a shell script under a name, with a log; "cat" runs until its stdin is closed."""
    started: list[subprocess.Popen[bytes]] = []

    def run(name: str, script: str, said: str = "") -> Helper:
        log = tmp_path / f"{name}.log"
        log.write_text(said)
        process = subprocess.Popen(["sh", "-c", f"exec {script}"], stdin=subprocess.PIPE)
        started.append(process)
        return Helper(name, process, log)

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_machine_that_powers_off_has_not_died(start: Start) -> None:
    wait_for_end(start("QEMU", "true"), [start("card", "cat")])


def test_a_machine_that_is_killed_is_named_with_its_log(start: Start) -> None:
    machine = start("QEMU", "cat", "warning: first\nqemu: last words\n")
    machine.process.kill()
    with pytest.raises(NitroError) as caught:
        wait_for_end(machine, [start("card", "cat")])
    assert caught.value.what == "QEMU was killed by SIGKILL: qemu: last words"
    assert caught.value.hint == f"its log is {machine.log}"


def test_a_helper_that_is_killed_is_named_while_its_machine_runs(start: Start) -> None:
    machine, card, names = (start(name, "cat") for name in ("QEMU", "the ENA card", "dnsmasq"))
    card.process.kill()
    with pytest.raises(NitroError, match="the ENA card was killed by SIGKILL"):
        wait_for_end(machine, [card, names])


def test_a_machine_that_fails_with_its_card_is_not_to_blame(start: Start) -> None:
    machine, card = start("QEMU", "false"), start("card", "sh -c 'exit 3'")
    machine.process.wait()
    card.process.wait()
    with pytest.raises(NitroError, match="card ended with status 3"):
        wait_for_end(machine, [card])


def test_a_card_that_ends_with_its_machine_has_not_died(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine closes the card's socket before it ends itself."""
    monkeypatch.setattr(watch, "END_SECONDS", 5.0)
    machine, card = start("QEMU", "cat"), start("card", "true")
    card.process.wait()
    looks: list[None] = []
    assert machine.process.stdin
    machine.process.stdin.close()
    wait_for_end(machine, [card], lambda: looks.append(None))


def test_a_log_that_is_not_there_is_named_all_the_same(start: Start) -> None:
    machine = start("QEMU", "false")
    machine.log.unlink()
    with pytest.raises(NitroError, match="QEMU ended with status 1; its log"):
        wait_for_end(machine, [])


def test_it_looks_around_while_the_machine_runs(start: Start) -> None:
    machine = start("QEMU", "cat")
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        if len(looks) == 3:
            assert machine.process.stdin
            machine.process.stdin.close()

    wait_for_end(machine, [], look)
    assert len(looks) >= 3
