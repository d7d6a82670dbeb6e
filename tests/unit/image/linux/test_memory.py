"""The memory that an image asks for; that it suffices is shown in tests/boot/image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.linux.memory import minimum_mib

MIB = 1 << 20
# Unpacked and packed MiB of an image, and the MiB of a machine that booted it whole: the
# smallest for 1 MB with the kernels 6.12 and 6.1, the smallest that was tried for 60 MB; then the
# smallest for a program in C, iperf3, nats-server, redis and haproxy.
FOUND = [
    *((3.9, 2.2, 88), (3.8, 2.2, 84), (60.2, 58.5, 224), (5.3, 2.3, 88), (13.9, 5.3, 92)),
    *((19.7, 7.4, 96), (22.1, 8.3, 104), (23.5, 8.8, 108)),
]

SIZES = st.integers(0, 4 << 30)
FILES = st.integers(0, 100_000)


@pytest.mark.parametrize(
    ("unpacked", "packed", "found"),
    FOUND,
)
def test_the_figure_is_at_most_a_fifth_over_what_was_bisected(
    unpacked: float, packed: float, found: int
) -> None:
    computed = minimum_mib(int(unpacked * MIB), int(packed * MIB), 90)
    assert found <= computed <= 1.2 * found


def test_uefi_firmware_takes_memory_too() -> None:
    assert minimum_mib(MIB, MIB, 1, uefi=True) == minimum_mib(MIB, MIB, 1) + 112


@given(SIZES, SIZES, FILES)
def test_the_archive_and_twice_the_files_fit_beside_the_kernel(
    unpacked: int, packed: int, files: int
) -> None:
    memory = minimum_mib(unpacked, packed, files) * MIB
    pages = memory * 63 // 64 - packed - 44 * MIB
    assert pages >= 2 * unpacked
    assert pages >= 2 * 4096 * files


@given(SIZES, st.integers(0, 1 << 30), st.integers(0, 1 << 30), FILES)
def test_more_to_hold_never_needs_less(unpacked: int, more: int, packed: int, files: int) -> None:
    least = minimum_mib(unpacked, 0, 0)
    assert minimum_mib(unpacked + more, packed, files) >= least


@given(SIZES, SIZES, FILES)
def test_memory_comes_in_steps_of_4_mib(unpacked: int, packed: int, files: int) -> None:
    """As hypervisors give it; and never a whole step more than is needed."""
    assert minimum_mib(unpacked, packed, files) % 4 == 0


@pytest.mark.parametrize(
    ("unpacked", "packed", "files", "needed"),
    [
        (0, 0, 0, 88),  # 1.03 × the 85 that a kernel starts with
        (100 * MIB, 0, 0, 260),  # 1.03 × (twice the files and 50)
        (100 * MIB, 50 * MIB, 0, 312),
        (0, 0, 25_600, 260),  # a file takes a page at least
        (20 * MIB, 0, 2048, 100),  # 1.03 × (73, the files, and 1024 bytes for each)
    ],
)
def test_what_the_model_says(unpacked: int, packed: int, files: int, needed: int) -> None:
    assert minimum_mib(unpacked, packed, files) == needed
