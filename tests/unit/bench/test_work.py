"""The runs of a client: recorded one by one, the rest at its end, none of them twice."""

from __future__ import annotations

import pytest

from nitro.bench.plan import Plan
from nitro.bench.work import Work
from nitro.errors import NitroError
from nitro.probe import Result
from tests.cloud.test_night import NIGHT, TEXT

GOOD, BAD = Result("wrk", "http"), Result("wrk", "http", error="no")


class Book:
    """Takes runs, as (task, error, whether measured), or refuses them."""

    def __init__(self):
        self.runs, self.full = [], False

    def keep(self, runs, measurement):
        if self.full:
            raise OSError("no space left on device")
        self.runs += [(task, result.error, measurement is not None) for task, result in runs]


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def work(book, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.format(more=""))
    plan = Plan.load(path)
    return Work(plan, [*plan.tasks("eu-west-1", NIGHT)][:3], book.keep)


def test_what_ended_well_is_recorded_at_once_and_the_next_client_runs_the_rest(work, book):
    first, second, third = work.left
    assert len(work.begin().probes) == 3
    work.take("measurement", 1, GOOD)
    work.take("measurement", 2, BAD)
    assert book.runs == [(second, None, True)]
    assert len(work.begin().probes) == 2
    work.finish("measurement", [GOOD, BAD])
    assert book.runs[1:] == [(first, None, True), (third, "no", True)]
    assert work.left == []


def test_what_the_end_reports_again_is_not_recorded_again(work, book):
    work.begin()
    for number in range(3):
        work.take("measurement", number, GOOD)
    work.finish("measurement", [GOOD] * 3)
    assert len(book.runs) == 3


def test_what_could_not_be_recorded_is_recorded_with_the_rest(work, book):
    work.begin()
    book.full = True
    work.take("measurement", 0, GOOD)
    with pytest.raises(OSError, match="no space"):
        work.finish("measurement", [GOOD] * 3)
    book.full = False
    work.finish("measurement", [GOOD] * 3)
    assert len(book.runs) == 3


def test_only_what_is_left_fails(work, book):
    first, *rest = work.left
    work.begin()
    work.take("measurement", 0, GOOD)
    work.fail(NitroError("the pair died"))
    assert book.runs == [(first, None, True), *((task, "the pair died", False) for task in rest)]


def test_a_run_that_was_not_made_has_failed_for_its_tool(work):
    found: list[Result] = []
    work.keep = lambda runs, _: found.extend(result for _, result in runs)
    work.fail(NitroError("the pair died"))
    assert {result.tool for result in found} == {"http"}
    assert all(result.started > 1e9 for result in found)
