"""Tests and benchmarks share what boots machines, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from lab import debug_kernel, kernel_log, reports, sampler

ROOT = Path(__file__).parents[2]


IMPORT = re.compile(r"^ *(?:from|import) (\w+)", re.MULTILINE)


def imported(path: Path) -> set[str]:
    """The packages that a module's import statements name."""
    return set(IMPORT.findall(path.read_text()))


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("nitro", {"lab", "tests", "benchmarks"}),
        ("lab", {"tests", "benchmarks"}),
        ("benchmarks", {"tests"}),
        ("tests", {"benchmarks"}),
    ],
)
def test_no_folder_reaches_into_one_that_it_must_not_know(folder: str, others: set[str]) -> None:
    modules = list((ROOT / folder).rglob("*.py"))
    assert modules
    found = {str(module): imported(module) & others for module in modules}
    assert not {module: names for module, names in found.items() if names}


SAID = """<14>[    3.000000] lab: init runs
<4>[    3.141593] TCP: eth0: Driver has suspect GRO implementation
<3>[    3.200000] ena 0000:00:03.0: reset was asked for
<4>[    4.000000]
no line of a log, after all
"""


def test_every_warning_of_a_guests_kernel_counts_but_those_that_a_test_brings_about() -> None:
    gro, reset = (line.split("] ")[1] for line in SAID.splitlines()[1:3])
    odd = "no line of a log, after all"
    assert kernel_log.complaints(SAID) == [gro, reset, odd]
    assert kernel_log.complaints(SAID, ["suspect GRO", r"\bena .*asked"]) == [odd]
    assert "init" in kernel_log.complaints("")[0], "a log that lost its beginning shows nothing"


def test_what_is_harmless_is_a_pattern_with_a_reason() -> None:
    for pattern, reason in kernel_log.HARMLESS.items():
        assert not re.search(pattern, "ena 0000:00:03.0 eth0: keep alive watchdog timeout")
        assert len(reason.split()) > 3


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_samples_tell_who_takes_the_processor_and_begin_anew_when_written(tmp_path: Path) -> None:
    out = tmp_path / "samples"
    with sampler.sampling(out):
        busy(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)
        first = sampler.read(out)
    assert first[0].function == f"{Path(__file__).stem}.{busy.__name__}"
    assert 2 < first[0].own <= first[0].total
    (caller,) = (line for line in first if "samples_tell" in line.function)
    assert caller.own < first[0].own <= caller.total
    assert all(line.function != first[0].function for line in sampler.read(out))


RACES = """[   10.0] ==================================================================
[   10.0] BUG: KCSAN: data-race in ena_tx_done [nitro_ena] / ena_tx_send [nitro_ena]
[   10.0] write to 0xffff888003d2a048 of 2 bytes by interrupt on cpu 0:
[   10.0]  ena_tx_done+0x1c2/0x2b0 [nitro_ena]
[   10.0] ==================================================================
[   11.0] ==================================================================
[   11.0] BUG: KCSAN: data-race in tcp_poll / tcp_recvmsg_locked
[   11.0]  ena_linux_poll+0x12/0x2b0 [nitro_ena]
[   11.0] ==================================================================
"""
FAULTS = """[    1.0] DMA-API: preallocated 65536 debug entries
[    2.0] ena 0000:00:01.0: Elastic Network Adapter (ENA) found at mem fe000000
[    3.0] BUG: KASAN: slab-use-after-free in ena_linux_tx_poll+0x1c2/0x2b0 [nitro_ena]
[    4.0] DMA-API: ena 0000:00:01.0: device driver failed to check map error
[    5.0] WARNING: CPU: 0 PID: 9 at net/core/skbuff.c:1417 napi_consume_skb+0x1/0x2
"""


def test_the_reports_of_a_debug_kernel_are_found() -> None:
    assert reports.faults(FAULTS) == FAULTS.splitlines()[2:]
    assert not reports.faults(RACES), "races are told apart by whom they belong to"
    (race,) = reports.races(RACES, "nitro_ena")
    assert "ena_tx_done [nitro_ena] / ena_tx_send" in race
    assert reports.races(RACES, "ena") == []


def test_options_that_a_kernel_does_not_take_are_named() -> None:
    wanted = debug_kernel.options("kasan")
    assert "CONFIG_KASAN=y\n" in wanted
    assert "CONFIG_KCSAN=y\n" in debug_kernel.options("kcsan")
    assert debug_kernel.missing(wanted, "CONFIG_KASAN=y\nCONFIG_KCSAN=n\n") == []
    assert debug_kernel.missing(wanted, "CONFIG_KCSAN=y\nCONFIG_ENA_ETHERNET=n\n") == [
        "CONFIG_KCSAN=y",
        "CONFIG_ENA_ETHERNET=n",
    ]
