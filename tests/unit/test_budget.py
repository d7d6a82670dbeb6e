"""Limits to what foreign bytes may cost."""

from __future__ import annotations

import io

import pytest

from nitro.budget import Budget


def test_streams_share_the_bytes() -> None:
    budget = Budget(10, seconds=60)
    assert budget.limit(io.BytesIO(b"12345")).read() == b"12345"
    assert budget.limit(io.BytesIO(b"6789")).read() == b"6789"
    with pytest.raises(ValueError, match="more than 10 bytes"):
        budget.limit(io.BytesIO(b"ab")).read()


def test_time_ends() -> None:
    with pytest.raises(ValueError, match="longer than -1 s"):
        Budget(10, seconds=-1).limit(io.BytesIO(b"1")).read()
