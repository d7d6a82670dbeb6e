"""Stages: the timeline, and what logs show of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from nitro.progress import LineReporter, Pace, amount


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass on the clock of stages."""
    now = [0.0]
    monkeypatch.setattr("nitro.progress.time", SimpleNamespace(monotonic=lambda: now[0]))

    def pass_seconds(seconds: float) -> None:
        now[0] += seconds

    return pass_seconds


def test_stages_are_told_below_their_parent_and_outermost_ones_kept(
    wait: Callable[[float], None],
) -> None:
    report = LineReporter(out=io.StringIO())
    with report.stage("publish"):
        wait(1)
        with report.stage("upload"):
            wait(2)
    with report.stage("launch"):
        wait(0.25)
    lines = report.out.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines == ["publish: done in 3.0 s", "  upload: done in 2.0 s", "launch: done in 0.2 s"]
    assert [(span.stage, span.seconds) for span in report.timeline] == [
        ("publish", 3.0),
        ("launch", 0.25),
    ]


def test_a_stage_that_raises_has_failed_and_the_next_one_is_outermost_again(
    wait: Callable[[float], None],
) -> None:
    report = LineReporter(out=io.StringIO())

    def fail() -> None:
        with report.stage("outer"), report.stage("inner"):
            wait(1)
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    with report.stage("clean up"):
        pass
    lines = report.out.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines == [
        "outer: failed after 1.0 s",
        "  inner: failed after 1.0 s",
        "clean up: done in 0.0 s",
    ]
    assert [span.stage for span in report.timeline] == ["outer", "clean up"]


def test_a_log_gets_a_line_each_15_seconds_at_most(wait: Callable[[float], None]) -> None:
    out = io.StringIO()
    with LineReporter(out=out).stage("import") as stage:
        for second in range(32):
            stage.status(f"{second} %")
            wait(1)
        stage.status("31 %")  # the same again says nothing
    assert out.getvalue().splitlines() == [
        "  import: 15 %",
        "  import: 30 %",
        "import: done in 32.0 s",
    ]


def test_each_stage_stands_below_its_own_parent() -> None:
    report = LineReporter(out=io.StringIO())
    with report.stage("build"):
        pass
    with report.stage("publish"), report.stage("import"):
        with report.stage("upload"):
            pass
        with report.stage("wait"):
            pass
    lines = report.out.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.partition(":")[0] for line in lines] == [
        *("build", "publish", "  import", "    upload", "    wait"),
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((3_100_000, 20_000_000, "B"), "3.1 of 20.0 MB"),
        ((3_100_000, None, "B"), "3.1 MB"),
        ((4, 9, "blocks"), "4 of 9 blocks"),
        ((4, None, "blocks"), "4 blocks"),
    ],
)
def test_amounts(given: tuple[float, float | None, str], text: str) -> None:
    assert amount(*given) == text


def test_bytes_are_told_with_their_rate_and_the_time_left() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    told = []
    for now, done in ((0.0, 0), (0.5, 1e6), (2.0, 4e6), (5.0, 10e6)):  # noqa: B007
        told.append(pace.describe(done, 10e6, "B"))
    assert told == [
        "0.0 of 10.0 MB",
        "1.0 of 10.0 MB",
        "4.0 of 10.0 MB, 2.0 MB/s, 3 s left",
        "10.0 of 10.0 MB, 2.0 MB/s",
    ]
    assert pace.describe(4, 9, "blocks") == "4 of 9 blocks"
