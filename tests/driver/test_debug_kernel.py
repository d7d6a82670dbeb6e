"""The module, and Amazon's beside it, in a kernel that checks memory, locks, DMA and
lifetimes.

`make debug-kernel` builds the kernel (lab/debug_kernel.py) and runs these; nothing else does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.debug_kernel import Edit
from lab.driver import Machine, machines
from lab.guest import GUEST
from lab.network import HOST
from lab.reports import reports
from nitro.ena.faults import FAULTS
from nitro.ena.profiles import PROFILES
from tests.driver.debugged import (
    SLOW,
    ask_for_reset,
    change_everything,
    fail_each_allocation,
    fail_to_create,
    failing_allocations,
    log_over_the_network,
    prepare,
    remove_from_the_bus,
    traffic,
)

pytestmark = [pytest.mark.debug_kernel, pytest.mark.timeout(1800)]

MODULES = ("nitro_ena", "ena")
SEEDS = range(1, 5)
# What the kernel's own code says when its allocations fail: files below /proc/irq are removed that
# could not be made, and the check of DMA ends.
STARVED = (
    r"WARNING: .* at fs/proc/generic\.c:\d+ remove_proc_entry",
    r"DMA-API: cacheline tracking ENOMEM",
)


def modules_but(why: str, *, always: bool = True) -> list[Any]:
    """Both, of which the control has a fault that these tests find, `always` or by chance."""
    found = pytest.mark.xfail(reason=why, strict=always)
    return [MODULES[0], pytest.param(MODULES[1], marks=found)]


DOWN = "once queues could not be made, the interface stays down"
NO_TABLE = "an indirection table that could not be allocated is written to"
LEAK = "a page of coherent DMA memory is mapped still after resets and a removal under traffic"


def reload(subject: Machine, module: str) -> None:
    subject.run(f"rmmod {module}; insmod /modules/{module}.ko", SLOW)
    subject.configure()


def check_end(subject: Machine, module: str, *known: str) -> None:
    """The card works to the end, and the kernel has nothing to report but what matches `known`."""
    subject.ping()
    subject.run(f"rmmod {module}", SLOW)
    assert reports(subject, module, *known) == []


@pytest.mark.parametrize("module", modules_but(LEAK))
def test_changes_resets_and_reloads_under_traffic(tmp_path: Path, module: str) -> None:
    with machines(tmp_path, "kasan", ["c5"]) as (subject,):
        prepare(subject, module)
        subject.configure()
        with traffic(subject):
            change_everything(subject)
            log_over_the_network(subject)
        subject.ping()
        with traffic(subject):
            for _ in range(2):
                ask_for_reset(subject, module)
                reload(subject, module)
            remove_from_the_bus(subject, module)
        check_end(subject, module)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"c5"}))
def test_every_profile(tmp_path: Path, profile: str, module: str) -> None:
    with machines(tmp_path, "kasan", [profile]) as (subject,):
        prepare(subject, module)
        subject.configure()
        with traffic(subject):
            change_everything(subject)
        check_end(subject, module)


@pytest.mark.parametrize("module", modules_but(NO_TABLE, always=False))
def test_failing_allocations(tmp_path: Path, module: str) -> None:
    """Each of those that a probe or an interface coming up makes; then some, under traffic."""
    with machines(tmp_path, "kasan", ["c5"], strict=False) as (subject,):
        prepare(subject, module)
        reached = fail_each_allocation(subject, module)
        assert min(reached) > 20
        subject.configure()
        with traffic(subject):
            with failing_allocations(subject, module, percent=5):
                change_everything(subject)
            subject.run("sleep 12", SLOW)  # queues that could not be made are made now
            reload(subject, module)
        check_end(subject, module, *STARVED)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_cards(tmp_path: Path, seed: int, module: str) -> None:
    """The kernel survives a card with every fault, and after a reload it works."""
    with machines(tmp_path, "kasan", [f"hostile:any@{seed}"], strict=False) as (subject,):
        prepare(subject, module)
        name = subject.interface  # there is none where the probe failed
        use = f"ip link set {name} up && ip addr replace {GUEST}/24 dev {name}"
        subject.run(f"{use} && timeout 30 iperf3 -c {HOST} -t 10 --bidir", SLOW, check=False)
        subject.run(f"ethtool -L {name} combined 1; ethtool -S {name}", SLOW, check=False)
        for fault in FAULTS:
            subject.card(f"fault {fault} off")
        subject.card("link up")  # which a fault may have left down
        reload(subject, module)
        check_end(subject, module)


@pytest.mark.parametrize("module", modules_but(DOWN))
def test_queues_that_cannot_be_made(tmp_path: Path, module: str) -> None:
    with machines(tmp_path, "kasan", ["c5"], strict=False) as (subject,):
        prepare(subject, module)
        subject.configure()
        with traffic(subject):
            fail_to_create(subject)
            subject.wait_for_link()
        check_end(subject, module)


@pytest.mark.parametrize("module", modules_but(LEAK))
def test_races(tmp_path: Path, module: str) -> None:
    """The kernel with KCSAN: two processors that meet in the driver."""
    with machines(tmp_path, "kcsan", ["c5"]) as (subject,):
        prepare(subject, module)
        subject.configure()
        with traffic(subject):
            change_everything(subject)
            ask_for_reset(subject, module)
            reload(subject, module)
        check_end(subject, module)


def test_the_kernel_finds_a_race(tmp_path: Path) -> None:
    """A number that both processors count without a lock, put into the driver."""
    count = "\tfor (int i = 0; i < 100; i++) {\n\t\tos->counted++;\n\t\tbarrier();\n\t}\n"
    stamp = "\tskb_tx_timestamp(skb);\n"
    edits = [
        Edit(
            "linux/ena_linux.h",
            "\tu16 wanted_pairs;",
            "\tunsigned int counted;\n\tu16 wanted_pairs;",
        ),
        Edit("linux/tx.c", stamp, stamp + count),
    ]
    with machines(tmp_path, "kcsan", ["c5"], edits=edits) as (subject,):
        prepare(subject, "nitro_ena")
        subject.configure()
        subject.run(f"iperf3 -c {HOST} -t 10 -P 4 --bidir", SLOW)
        found = reports(subject, "nitro_ena")
        assert any("ena_linux_xmit" in one for one in found), subject.guest.console()[-9000:]
