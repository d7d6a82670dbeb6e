"""Moments in which the module once did wrong, made long: the kernel finds nothing in what it does,
and does find what it did.

`make debug-kernel` runs these; nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.debug_kernel import Edit
from lab.driver import Machine, machines
from lab.network import HOST
from lab.reports import faults
from tests.driver.debugged import SLOW, prepare

pytestmark = [pytest.mark.debug_kernel, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Window:
    """A fault that the driver once had, in a moment that `widen` makes long and `drive` meets."""

    drive: Callable[[Machine], None]
    undo: tuple[Edit, ...]
    """Makes the driver what it was."""
    widen: tuple[Edit, ...] = ()


def send(subject: Machine) -> None:
    """Each processor sends on the queue whose interrupt goes to the other one."""
    queues = f"/sys/class/net/{subject.interface}/queues"
    subject.run(f"echo 2 > {queues}/tx-0/xps_cpus; echo 1 > {queues}/tx-1/xps_cpus")
    subject.run(f"iperf3 -c {HOST} -t 3 -P 4", SLOW)


def settle(subject: Machine) -> None:
    """The interface is up; the module is removed next."""
    subject.run("sleep 1")


_FREE = "\tfree_irq(os->irq, os);\n"
_CANCEL = "\tcancel_work_sync(&os->recovery); /* last: the interrupt may have asked for it */\n"
_ASK = "\tschedule_work(&os->recovery); /* as an interrupt does */\n"
_RECOVER = "\trtnl_lock();\n\tif (os->removing)\n\t\tgoto out;\n\tif (os->traffic)"
_COUNTED = "\tnetdev_tx_sent_queue(queue, skb->len);\n"
_SENT = "\tENA_STORE_RELEASE(tx->slots[id], slots);\n"
WINDOWS = {
    "an interrupt asks for a recovery while the module is removed": Window(
        settle,
        widen=(
            Edit("linux/main.c", _FREE + _CANCEL, _ASK + _FREE + _CANCEL),
            Edit("linux/net.c", _RECOVER, "\tmsleep(500);\n" + _RECOVER),
        ),
        undo=(Edit("linux/main.c", _ASK + _FREE + _CANCEL, _CANCEL + _ASK + _FREE),),
    ),
    "bytes are counted when they are complete": Window(
        send,
        widen=(
            Edit(
                "core/tx.c",
                _SENT,
                _SENT + "ena_tx_ring(tx);\n"
                "for (int i = 0; i < 100; i++) ena_os_sleep(tx->device->os, 9);\n",
            ),
        ),
        undo=(
            Edit("linux/tx.c", _COUNTED, "\tunsigned int length = skb->len;\n"),
            Edit(
                "linux/tx.c",
                "\tena_linux_tx_stop_if_full(queue, tx);\n\tif (!netdev_xmit_more()",
                "\tnetdev_tx_sent_queue(queue, length);\n"
                "\tena_linux_tx_stop_if_full(queue, tx);\n\tif (!netdev_xmit_more()",
            ),
        ),
    ),
}


def driven(folder: Path, window: Window, edits: Sequence[Edit]) -> list[str]:
    """The faults that the kernel found."""
    console = folder / "guest.console"
    try:
        with machines(folder, "kasan", ["c5"], strict=False, edits=edits) as (subject,):
            prepare(subject, "nitro_ena")
            subject.configure()
            window.drive(subject)
            subject.run("rmmod nitro_ena", SLOW)
            subject.run("sleep 3", SLOW)  # what was left behind runs
    except AssertionError:
        if not faults(console.read_text(errors="replace")):
            raise
    return faults(console.read_text(errors="replace"))


@pytest.mark.parametrize("name", WINDOWS)
def test_moments_that_were_faults(tmp_path: Path, name: str) -> None:
    """Nothing is found in the module, and the fault is, in what it was."""
    window = WINDOWS[name]
    for folder in (tmp_path / "now", tmp_path / "then"):
        folder.mkdir()
    assert driven(tmp_path / "now", window, window.widen) == []
    assert driven(tmp_path / "then", window, (*window.widen, *window.undo)) != []
