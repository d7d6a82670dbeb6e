from __future__ import annotations

from datetime import timedelta

import pytest

from nitro.cli import options
from nitro.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        (None, None),
    ],
)
def test_times_to_live_are_read(text: str | None, expected: timedelta | None):
    assert options.duration(text) == expected


@pytest.mark.parametrize("text", ["", "h", "2", "2 h", "-1h", "0m", "1.5h", "2w", "99999999999d"])
def test_what_is_no_time_is_bad_input(text: str):
    with pytest.raises(InputError, match="is not a time"):
        options.duration(text)
