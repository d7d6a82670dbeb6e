"""A sample of the everyday programs of lab/programs, each with one try."""

from __future__ import annotations

import pytest

from lab.programs import CASES, Case, measured

pytestmark = [pytest.mark.boot, pytest.mark.slow]

# A server with Debian's own configuration, one with a user and a setup, and a script by its path.
SAMPLE = {"nginx with Debian's configuration", "PostgreSQL", "Python"}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in SAMPLE], ids=lambda c: c.name)
def test_the_first_try_answers(case: Case) -> None:
    assert measured(case)["seconds"] > 0  # it raises when there is no answer
