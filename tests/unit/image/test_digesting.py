"""A file is written whole and in order, and its digest is that of what was written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image import digesting

SIZES = st.sampled_from([0, 1, 4095, (1 << 16) - 1, 1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])


@pytest.mark.extended
@given(st.lists(SIZES, max_size=8))
def test_pieces_of_any_size(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes, 1)]
    out = io.BytesIO()
    digest = digesting.write(out, chunks)
    assert out.getvalue() == b"".join(chunks)
    assert digest == f"sha256:{hashlib.sha256(out.getvalue()).hexdigest()}"


def test_an_error_of_a_piece_shows_through() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("it changed")

    with pytest.raises(ValueError, match="it changed"):
        digesting.write(io.BytesIO(), chunks())
