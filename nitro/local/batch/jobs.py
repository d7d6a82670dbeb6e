"""A job of AWS Batch: what it runs, its attempts and its states.

https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Status = Literal["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"]
STATUSES: tuple[Status, ...] = (
    *("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"),
)


class Running(Protocol):
    """A started attempt."""

    def poll(self) -> int | None:
        """Its exit code, as a shell counts; None while it runs."""

    def end(self) -> None:
        """Ask it to end, and see to it that it does."""


class Runner(Protocol):
    """Starts attempts."""

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], region: str
    ) -> Running:
        """Raises OSError where the command cannot be started."""


@dataclass(frozen=True)
class Rule:
    """What happens when an attempt ends with a code that fits the pattern `on_exit_code`."""

    action: Literal["retry", "exit"]
    on_exit_code: str


@dataclass(frozen=True)
class Dependency:
    """`kind` N_TO_N: each child on the child of its index; SEQUENTIAL: on the child before it."""

    job: str | None
    kind: Literal["N_TO_N", "SEQUENTIAL"] | None = None


@dataclass(frozen=True)
class Task:
    """What an attempt runs. `seconds` is the most that one may take; None: no bound."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    image: str
    vcpus: int = 1
    attempts: int = 1
    rules: tuple[Rule, ...] = ()
    seconds: int | None = None


@dataclass
class Attempt:
    """Times in milliseconds of Unix time."""

    started: int
    stopped: int | None = None
    exit_code: int | None = None
    reason: str = ""


@dataclass
class Job:
    """A job, an array job or a child of one. Times in milliseconds of Unix time."""

    id: str
    arn: str
    name: str
    queue: str
    definition: str
    task: Task
    depends_on: tuple[Dependency, ...]
    created: int
    index: int | None = None
    children: tuple[Job, ...] = ()
    status: Status = "SUBMITTED"
    reason: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    process: Running | None = None
    terminated: str | None = None  # why somebody ended it
    overdue: bool = False

    @property
    def done(self) -> bool:
        return self.status in ("SUCCEEDED", "FAILED")

    @property
    def started(self) -> int | None:
        return self.attempts[0].started if self.attempts else None

    @property
    def stopped(self) -> int | None:
        if self.children:
            return max((c.stopped or 0 for c in self.children), default=0) if self.done else None
        return self.attempts[-1].stopped if self.attempts and self.done else None

    @property
    def again(self) -> bool:
        """Whether an attempt that has just failed is followed by another one."""
        if self.terminated is not None or self.overdue or len(self.attempts) >= self.task.attempts:
            return False
        code = str(self.attempts[-1].exit_code)
        for rule in self.task.rules:
            if fits(rule.on_exit_code, code):
                return rule.action == "retry"
        return True

    def summary(self) -> dict[str, int]:
        """How many children are in each state."""
        found = Counter(child.status for child in self.children)
        return {status: found[status] for status in STATUSES}

    def array(self) -> dict[str, Any]:
        """What DescribeJobs and ListJobs say of an array job, or of a child's place in one."""
        if self.index is not None:
            return {"index": self.index}
        return {"size": len(self.children), "statusSummary": self.summary()}


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern, which may end in `*`, fits all of a text."""
    start, star, _ = pattern.partition("*")
    return text.startswith(start) if star else text == pattern
