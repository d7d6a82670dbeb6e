"""`nitro console --follow`."""

from __future__ import annotations

from nitro.cli.console import news


def test_what_is_new_is_what_comes_after_what_was_there() -> None:
    assert news("", "one\n") == "one\n"
    assert news("one\n", "one\n") == ""
    assert news("one\n", "one\ntwo\n") == "two\n"


def test_a_console_whose_beginning_was_dropped_goes_on_where_it_was() -> None:
    before = "".join(f"line {number}\n" for number in range(1000))
    now = before[5000:] + "new\n"
    assert news(before, now) == "new\n"


def test_a_console_that_has_nothing_of_what_was_there_is_all_new() -> None:
    assert news("a" * 5000, "b" * 100) == "b" * 100
