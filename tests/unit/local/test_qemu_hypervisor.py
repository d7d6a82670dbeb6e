"""What a guest gets of this machine. Guests themselves run in tests/boot/local."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nitro.local.qemu_hypervisor import (
    MINIMUM_MEMORY_MIB,
    available_memory,
    capped_memory,
    capped_vcpus,
    wait_for_end,
)


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


def test_a_console_is_kept_small_while_its_machine_runs(tmp_path: Path) -> None:
    console = tmp_path / "console"

    class Chatty:
        waits = 0

        def wait(self, timeout: float) -> int:
            self.waits += 1
            if self.waits == 3:
                return 7
            with console.open("ab") as guest:
                guest.write(b"x" * (1 << 21))
            raise subprocess.TimeoutExpired("qemu", timeout)

    machine: Any = Chatty()
    assert wait_for_end(machine, console) == 7
    assert console.stat().st_blocks * 512 < 1 << 18
