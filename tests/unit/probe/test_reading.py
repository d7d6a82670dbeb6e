"""Numbers are plain numbers, quotes are one printable line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import ProbeError
from nitro.probe.reading import finite, number, quote


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("-1", -1.0), ("12.50", 12.5)])
def test_numbers(text, value):
    assert number(text, "x") == value


@pytest.mark.parametrize("text", ["", " 1", "1e3", "inf", "nan", "1_0", "١", "1.", ".5", "1\n"])
def test_what_is_no_number_is_named(text):
    with pytest.raises(ProbeError, match="THE VALUE is not a number"):
        number(text, "THE VALUE")


@pytest.mark.parametrize("value", [True, None, "1", [], float("nan"), float("inf"), 10**400])
def test_only_finite_json_numbers(value):
    with pytest.raises(ProbeError, match="x is not a number"):
        finite(value, "x")
    assert finite(3, "x") == 3.0


@given(st.text())
def test_a_quote_is_one_short_printable_line(text):
    assert len(quote(text)) < 2000
    assert quote(text).isprintable()


def test_a_quote_keeps_the_end():
    assert quote("a" * 1000 + "\n\x1b[31mthe cause\n").endswith("[31mthe cause'")
