"""What a guest is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.cloud.user_data import LIMIT, compose, compose_script
from nitro.errors import InputError


def test_lines_an_empty_line_and_the_payload() -> None:
    text = compose({"PORT": "80"}, "boot 60 echo hello\n", datetime(2026, 1, 31, tzinfo=UTC))
    assert text == "NITRO=1\nNITRO_EXPIRES=1769817600\nPORT=80\n\nboot 60 echo hello\n"


@pytest.mark.parametrize("key", ["", "1A", "A B", "A=B", "A\n"])
def test_a_bad_name_is_refused(key: str) -> None:
    with pytest.raises(InputError):
        compose({key: "x"})


def test_a_value_of_two_lines_is_refused() -> None:
    with pytest.raises(InputError, match="TEXT has more than one line"):
        compose({"TEXT": "a\nb"})


def test_a_script_of_another_image_ends_its_machine() -> None:
    text = compose_script("iperf3 -s -D", timedelta(minutes=90, seconds=1))
    assert text == "#!/bin/sh\nshutdown -P +91\niperf3 -s -D\n"
    assert compose_script("", None) == "#!/bin/sh\n\n"
    with pytest.raises(InputError, match="shorten the script"):
        compose_script("x" * LIMIT, None)


def test_too_much_is_refused() -> None:
    assert len(compose({}, "x" * (LIMIT - 9))) == LIMIT
    with pytest.raises(InputError, match="EC2 allows 16384"):
        compose({}, "x" * (LIMIT - 8))


def test_bytes_are_counted_not_characters() -> None:
    with pytest.raises(InputError, match="has 16387 bytes"):
        compose({}, "é" * ((LIMIT - 8) // 2 + 1))


@pytest.mark.extended
@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), st.text()))
def test_what_is_accepted_can_be_read_back(environment: dict[str, str]) -> None:
    try:
        text = compose(environment, "payload")
    except InputError:
        return
    head, _, payload = text.partition("\n\n")
    assert payload == "payload"
    read = dict(line.split("=", 1) for line in head.split("\n"))
    assert read == {"NITRO": "1"} | environment
