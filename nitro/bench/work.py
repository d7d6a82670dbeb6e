"""What is measured of a machine in one repetition, by one client or by those in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nitro.bench.plan import Plan, Task
from nitro.bench.schedule import selected
from nitro.errors import NitroError
from nitro.measure import Measurement
from nitro.probe import Result, Selection

# Records runs, of a measurement where one came about. Raises NitroError, OSError.
Keep = Callable[[Sequence[tuple[Task, Result]], Measurement | None], None]


@dataclass
class Work:
    """`left` are the tasks whose runs are not recorded. One thread works on it."""

    plan: Plan
    left: list[Task]
    keep: Keep
    _begun: list[Task] = field(default_factory=list)

    def begin(self) -> Selection:
        """What the next client is to run."""
        self._begun = list(self.left)
        return selected(self.plan, self._begun)

    def take(self, measurement: Measurement, number: int, result: Result) -> None:
        """Record a run that ended well, the `number`th of those begun.

        A failed one waits for the end: it is made again where the server has died. So does one
        that cannot be recorded now, for the pair is not to blame.
        """
        if result.error is not None:
            return
        task = self._begun[number]
        try:
            self.keep([(task, result)], measurement)
        except (NitroError, OSError):
            return
        self.left.remove(task)

    def finish(self, measurement: Measurement, results: Sequence[Result]) -> None:
        """Record what is left, from the results of all that was begun."""
        runs = zip(self._begun, results, strict=True)
        self._keep_rest([(task, result) for task, result in runs if task in self.left], measurement)

    def fail(self, error: NitroError) -> None:
        """Record that what is left has failed."""
        self._keep_rest([(task, _failed(task, error)) for task in self.left], None)

    def _keep_rest(
        self, runs: Sequence[tuple[Task, Result]], measurement: Measurement | None
    ) -> None:
        if runs:
            self.keep(runs, measurement)
        self.left.clear()


def _failed(task: Task, error: NitroError) -> Result:
    tool = task.cell.test.protocol.partition("-")[0]
    return Result(tool, "", error=str(error), started=time.time())
