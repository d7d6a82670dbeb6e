"""The memory that an image asks for; that it suffices is shown in tests/boot/image."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nitro.image.linux.memory import minimum_mib

SIZES = st.integers(0, 4 << 30)


@given(SIZES)
def test_there_is_room_while_unpacking_and_afterwards(unpacked: int) -> None:
    memory = minimum_mib(unpacked) << 20
    assert memory >= 2 * unpacked + (150 << 20)


@given(SIZES, st.integers(0, 1 << 30))
def test_more_to_hold_never_needs_less(unpacked: int, more: int) -> None:
    assert minimum_mib(unpacked + more) >= minimum_mib(unpacked)
