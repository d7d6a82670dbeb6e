"""What guests, files and AWS say is printed without steering the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.printable import REPLACEMENT, printable

#: text that is likely to contain sequences, whole and broken
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\x1b\x9b\x9d\x90\x9c[]P;0249mJ\\\x07\r\n\t\u202e\udc80 "), st.characters()
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;a title\x07shown", "shown"),
        ("\x1b]52;c;cm0gLXJm\x1b\\shown", "shown"),
        ("\x9d52;c;cm0gLXJm\x9cshown", "shown"),
        ("\x9b2Jshown", "shown"),
        ("\x1bP+q544e\x1b\\shown", "shown"),
        ("\x1bcshown", "shown"),
        ("\x1b(0shown", "shown"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("col\tumn", "col\tumn"),
        ("naïve — café 日本 ✓", "naïve — café 日本 ✓"),
    ],
)
def test_sequences_go_and_text_stays(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\udcff"]
)
def test_what_is_no_text_is_replaced(character: str) -> None:
    assert printable(f"a{character}b") == f"a{REPLACEMENT}b"


def test_a_sequence_that_is_left_when_another_goes_is_none() -> None:
    assert "\x1b" not in printable("\x1b\x1b[m[2J")


def test_a_sequence_without_an_end_hides_nothing() -> None:
    assert printable("\x1b]0;title\nthe next line").endswith("0;title\nthe next line")


def test_one_line_is_one_line() -> None:
    assert printable("a\nb\tc", keep="") == f"a{REPLACEMENT}b{REPLACEMENT}c"


@pytest.mark.extended
@given(HOSTILE)
def test_nothing_but_text_newlines_and_tabs_is_left(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize("text", ["\x1b]" * 100_000, "\x9d" * 100_000, "\x1b[" + "0" * 100_000])
def test_unfinished_sequences_cost_little(text: str) -> None:
    assert printable(text)
