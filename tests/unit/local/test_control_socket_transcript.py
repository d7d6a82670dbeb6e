"""What machines are told over their control socket, as transcripts."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nitro.errors import NitroError
from nitro.local import hotplug, qemu, restart
from nitro.local.qemu import Disk
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


@contextmanager
def answering(
    told: Told, folder: Path, answer: Callable[[str, dict[str, Any]], Any], name: str = "qmp"
) -> Iterator[None]:
    """A QEMU that answers as `answer` does: a value, or a line of text as it is."""
    with socket.socket(socket.AF_UNIX) as listener:
        (folder / name).unlink(missing_ok=True)
        listener.bind(str(folder / name))
        listener.listen()

        def talk(peer: socket.socket) -> None:
            told.note("    connected")
            with peer, peer.makefile("rw") as channel:
                channel.write('{"QMP": {}}\n')
                channel.flush()
                for line in channel:
                    told.note(f"    {line.strip()}")
                    asked = json.loads(line)
                    found: Any = {} if asked["execute"] == "qmp_capabilities" else None
                    if found is None:
                        found = answer(asked["execute"], asked.get("arguments", {}))
                    event = {"event": "POWERDOWN"}
                    if found is END:
                        return
                    if isinstance(found, Exception):
                        said: dict[str, Any] = {"error": {"desc": str(found)}}
                    else:
                        said = {"return": found}
                    channel.write(json.dumps(event) + "\n" + json.dumps(said) + "\n")
                    channel.flush()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                talk(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


END = object()


def test_the_power_button(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for said in (
        "portw[0x0602] = 0x0100",
        "portw[0x0602] = 0x0321\r\n",
        "portw[0x0602] =0xffff",
        "portw[0x0602] = 0x00ff",
        "portw[0x0602] = 0x0200",
        "portw[0x0602] = none",
        "",
        17,
    ):
        with answering(told, tmp_path, lambda *_, said=said: said):
            told.outcome(f"the register is {said!r}", qemu.press_power_button, tmp_path)
    for error in (NitroError("no such command"), END):
        with answering(told, tmp_path, lambda *_, error=error: error):
            told.outcome("refused", qemu.press_power_button, tmp_path)
    told.outcome("nobody listens", qemu.press_power_button, tmp_path)
    told.outcome("no folder", qemu.press_power_button, tmp_path / "none")
    compare(HERE / "power-button.txt", told.text)


def test_disks_that_come_and_go(tmp_path: Path) -> None:
    told = Told(tmp_path)
    busy = NitroError("Slot 0 is occupied already")
    broken = NitroError("Could not open")
    plain = Disk(tmp_path / "a.raw", "vol1", "", "vol-1")
    named = Disk(tmp_path / "b.raw", "vol2", "Amazon", "vol-2")
    for what, answers in (
        ("all goes well", {}),
        ("the first places are taken", {"device_add": [busy, busy, {}]}),
        ("all places are taken", {"device_add": [busy] * 9}),
        ("the last place is free", {"device_add": [busy] * 3 + [{}]}),
        ("it cannot be added", {"device_add": [busy, broken]}),
        ("it cannot be opened", {"blockdev-add": [broken]}),
        ("nothing to close", {"blockdev-del": [broken]}),
        ("it hangs up", {"device_add": [END]}),
    ):
        for disk in (plain, named):
            left = {name: list(each) for name, each in answers.items()}

            def answer(command: str, _: Any, left: dict[str, list[Any]] = left) -> Any:
                return left[command].pop(0) if left.get(command) else {}

            with answering(told, tmp_path, answer):
                told.outcome(f"{what}, {disk.name}", hotplug.plug, tmp_path, disk)
    lists: tuple[Any, ...] = ([], [{"name": "vol-1"}, {"name": "type"}], {}, "text")
    for found in lists:
        with answering(told, tmp_path, lambda *_, found=found: found):
            told.outcome("plugged", hotplug.plugged, tmp_path)
    answered: tuple[Any, ...] = ({}, broken)
    for said in answered:
        for function in (hotplug.stand_still, hotplug.go_on):
            with answering(told, tmp_path, lambda *_, said=said: said):
                told.outcome(function.__name__, function, tmp_path)
        with answering(told, tmp_path, lambda *_, said=said: said):
            told.outcome("unplug", hotplug.unplug, tmp_path, "vol-1")
    compare(HERE / "hotplug.txt", told.text)


def test_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    now = [0.0]

    def slept(seconds: float) -> None:
        now[0] += 1.0

    monkeypatch.setattr(time, "sleep", told.stand_in("sleep", slept))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for listens in (True, False):
        for looks in (0, 1, 2, 3, 9):
            for given_up in (99, 0, 1, 2, 3):
                if not listens and looks:
                    continue
                left, asked = [looks], [given_up]

                def answer(command: str, _: Any) -> Any:
                    if command == "human-monitor-command":
                        return "x = 0x0100" if listens else "x = 0x0"  # noqa: B023
                    if command == "query-status":
                        left[0] -= 1  # noqa: B023
                        return {"status": "shutdown" if left[0] < 0 else "running"}  # noqa: B023
                    return {}

                def gave_up() -> bool:
                    asked[0] -= 1  # noqa: B023
                    return asked[0] < 0  # noqa: B023

                with answering(told, tmp_path, answer):
                    name = f"listens {listens}, down after {looks}, given up after {given_up}"
                    meanwhile = told.stand_in("meanwhile")
                    told.outcome(name, restart.restart, tmp_path, 2.0, gave_up, meanwhile)
    for command in ("set-action", "human-monitor-command", "stop", "system_reset", "cont"):

        def refuse(given: str, _: Any, command: str = command) -> Any:
            return NitroError("no") if given == command else {"status": []}

        with answering(told, tmp_path, refuse):
            told.outcome(f"{command} refused", restart.restart, tmp_path, 2.0, lambda: False)
    monkeypatch.undo()
    compare(HERE / "restarts.txt", told.text)
