from __future__ import annotations

import re

import pytest

from nitro.recipe import patterns

PATTERNS = [value for name, value in vars(patterns).items() if name.isupper() and name[0] != "_"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_example_of_a_pattern_fits_it(pattern: str) -> None:
    text = patterns.meant(pattern)
    examples = [text.rpartition("such as ")[2]] if "such as" in text else ["linux", "osv:NAME"]
    assert all(re.fullmatch(pattern, one) for one in examples)


def test_a_pattern_without_words_is_shown() -> None:
    assert patterns.meant("^a$") == "of the form ^a$"
