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
from nitro.measure import MEASURE_FROM


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


@pytest.mark.extended
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


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("C5.Large", "c5.large"),
        (" t3.micro", "t3.micro"),
        ("u7in-16tb.224xlarge", "u7in-16tb.224xlarge"),
        ("c7i-flex.2xlarge", "c7i-flex.2xlarge"),
        ("m7i.metal-24xl", "m7i.metal-24xl"),
    ],
)
def test_an_instance_type_is_understood_as_ec2_writes_it(written: str, name: str) -> None:
    assert options.instance_type(written) == name


@pytest.mark.parametrize(
    ("written", "hint"),
    [("c5.lagre", "c5.large"), ("c5.xlrage", "c5.xlarge"), ("c5", "c5.large"), ("", "c5.large")],
)
def test_what_cannot_be_an_instance_type_is_refused_with_what_may_be_meant(
    written: str, hint: str
) -> None:
    with pytest.raises(InputError) as refused:
        options.instance_type(written)
    assert hint in str(refused.value.hint)


def test_where_a_client_measures_is_what_the_measurement_knows() -> None:
    for place in MEASURE_FROM:
        assert options.source(place) == place
    with pytest.raises(InputError, match="--from mars"):
        options.source("mars")


def test_only_what_can_be_a_security_groups_id_is_one() -> None:
    ids = ("sg-0123456789abcdef0", "sg-01234567")
    assert options.security_groups(ids) == ids
    assert options.security_groups(None) == ()
    for wrong in ("default", "sg-0123", "subnet-01234567", "sg-0123456789ABCDEF0"):
        with pytest.raises(InputError, match=f"--security-group {wrong}"):
            options.security_groups([*ids, wrong])
