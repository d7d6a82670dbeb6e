from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from nitro import cloud as clouds
from nitro.cli import app, options
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


def test_what_a_hint_names_is_an_option() -> None:
    """Options that messages of nitro.cloud tell people to use."""
    folder = Path(clouds.__file__).parent
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    known = {
        option
        for command in group.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert named - known == set()
