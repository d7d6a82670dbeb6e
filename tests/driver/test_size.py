"""The driver stays small, and its cost per packet bounded."""

from __future__ import annotations

import pytest

from tools import driver_instructions, driver_size

pytestmark = pytest.mark.driver


def test_size_is_within_limits() -> None:
    size = driver_size.measure()
    assert size.code_lines <= driver_size.MAX_CODE_LINES
    assert size.longest_file < driver_size.MAX_FILE_LINES
    assert size.total_bytes <= driver_size.MAX_BYTES


def test_packets_cost_few_instructions() -> None:
    cost = driver_instructions.measure()
    assert 50 < cost["tx-host"] < 450
    assert 50 < cost["tx-llq"] < 600
    assert 50 < cost["rx"] < 400


def test_only_instructions_of_the_core_count() -> None:
    profile = (
        "fl=(1) /build/core/tx.c\nfn=(1) send\n10 5\ncfi=(2) /build/host/os.c\ncfn=(2) write\n"
        "calls=1 20\n11 1000\n+1 2\nfi=(2)\n20 30\nfe=(1)\n12 4\nfl=(2)\nfn=(2)\n20 7\n"
    )
    assert driver_instructions.core_instructions(profile) == 5 + 2 + 4
