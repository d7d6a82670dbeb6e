"""The JSON of `nitro bench`."""

from __future__ import annotations

from typing_extensions import TypedDict

from nitro.documents.metrics import Better


class NightDocument(TypedDict):
    """`nitro bench run --json`."""

    night: str
    """The UTC date that the night is keyed by."""
    recorded: int
    """Runs that succeeded."""
    failed: int
    """Runs that failed, which are recorded as such."""
    there: int
    """Runs that the record had before."""
    left_out: int
    """Runs that the plan's budget had no room for."""


class SubmissionDocument(TypedDict):
    """`nitro bench submit --json`."""

    plan: str
    night: str
    """The UTC date that the night is keyed by."""
    parts: int
    """Children of the array job; 0 where nothing was submitted."""
    missing: int
    """Runs that the record did not have."""
    job: str | None
    """The id of the job that measures; null when nothing is missing."""
    last: str | None
    """The id of the job that checks and reports after it."""
    new: bool
    """Whether jobs were submitted now; otherwise they run already, or nothing is missing."""


class ChangedConditionDocument(TypedDict):
    """A condition that has new values since a step."""

    what: str
    """The column of the record."""
    before: list[str]
    after: list[str]


class CheckedStepDocument(TypedDict):
    """A series of the record changed its level."""

    cell: str
    metric: str
    unit: str
    since: str
    """The first night of the new level, ISO 8601."""
    found: str
    """The night that showed it."""
    before: float
    after: float
    ratio: float
    """`after` over `before`."""
    interval: list[float]
    """The 95 % confidence interval of `ratio`."""
    worse: bool
    changed: list[ChangedConditionDocument]
    """What changed with it; empty when nothing that is recorded did."""


class FailedCellDocument(TypedDict):
    """A cell with failed runs, or, with 0 `runs`, one that was not measured."""

    cell: str
    failed: int
    runs: int
    error: str


class LimitedCellDocument(TypedDict):
    """A cell of which an allowance of the instance type limited every run."""

    cell: str
    counters: list[str]
    """Those that grew, such as `server bw_in_allowance_exceeded`."""


class VerdictDocument(TypedDict):
    """One plan's night in `nitro bench check --json`."""

    plan: str
    night: str
    ok: bool
    """No regression and no failure: then the exit code is 0."""
    series: int
    """How many series were judged together: one for each cell and metric."""
    new: list[CheckedStepDocument]
    """The steps, also improvements, that this night's check is the first to tell."""
    known: list[CheckedStepDocument]
    """Those that earlier checks told."""
    failed: list[FailedCellDocument]
    limited: list[LimitedCellDocument]


class ComparisonDocument(TypedDict):
    """One metric in `nitro bench compare A B --json`."""

    what: str
    """What both sides share."""
    metric: str
    unit: str
    better: Better | None
    paired: bool
    """Whether runs of the same night and repetition were compared with each other."""
    runs: list[int]
    """Of A and of B; so are `medians` and `variation` (coefficients of variation)."""
    medians: list[float]
    variation: list[float]
    ratio: float
    """B over A."""
    interval: list[float] | None
    """The 95 % confidence interval of `ratio`; null with too few runs."""
    verdict: str
    """`better`, `worse`, `different`, `no difference`, `too few runs`, or, where every run
    of a side was, `limited by its allowance`."""


class HistoryDocument(TypedDict):
    """One metric of one cell in `nitro bench history --json`."""

    plan: str
    cell: str
    metric: str
    unit: str
    better: Better
    nights: list[str]
    """UTC, ISO 8601, oldest first."""
    values: list[float]
    """The median of each night's repetitions."""
    counts: list[int]
    """How many repetitions those are."""
