"""How a night's measurements are dealt out: to groups of machines, to clients, to parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from nitro.bench.plan import Machine, Plan, Task, selection
from nitro.measure import longest_measurement
from nitro.probe import Selection

LONGEST_LIFE = timedelta(days=7)  # of a server
_MARGIN = timedelta(hours=1)  # that a server lives beyond all deadlines
_STEPS = 40  # of one client: its user data and its results have bounds


@dataclass(frozen=True)
class Part:
    """Every `count`th machine of a plan, from the `index`th on: what one of many processes does."""

    index: int = 0
    count: int = 1

    def machines(self, plan: Plan, region: str) -> list[Machine]:
        return plan.machines(region)[self.index :: self.count]

    def tasks(self, plan: Plan, region: str, night: date) -> list[Task]:
        """The night's tasks of these machines, in the plan's order."""
        mine = set(self.machines(plan, region))
        return [task for task in plan.tasks(region, night) if task.cell.machine in mine]


WHOLE = Part()


def groups(tasks: Sequence[Task], at_once: int) -> Iterator[list[Task]]:
    """The tasks of `at_once` machines, then those of the next ones."""
    machines = list(dict.fromkeys(task.cell.machine for task in tasks))
    for start in range(0, len(machines), at_once):
        group = set(machines[start : start + at_once])
        yield [task for task in tasks if task.cell.machine in group]


def rounds(group: Sequence[Task]) -> Iterator[list[list[Task]]]:
    """What each client does, in parts in which no machine comes twice: those may run at a time.

    A client has one repetition's tests of one machine, in the plan's order, or some of many.
    """
    parts: dict[int, dict[Machine, list[Task]]] = {}
    for task in group:
        parts.setdefault(task.repetition, {}).setdefault(task.cell.machine, []).append(task)
    for machines in parts.values():
        longest = max(map(len, machines.values()))
        for first in range(0, longest, _STEPS):
            yield [some for tasks in machines.values() if (some := tasks[first : first + _STEPS])]


def clients(group: Sequence[Task]) -> Iterator[list[Task]]:
    """What one client after the other does."""
    return itertools.chain.from_iterable(rounds(group))


def selected(plan: Plan, tasks: Sequence[Task]) -> Selection:
    """The probes of one client's tasks."""
    probes = (p for task in tasks for p in selection(task.cell.test, plan.seconds).probes)
    return Selection(None, tuple(probes), allowances=True)


def lifetime(plan: Plan, tasks: Sequence[Task]) -> timedelta:
    """How long a server may be needed: every deadline of the tasks, or the plan's own bound."""
    if plan.max_hours:
        return timedelta(hours=plan.max_hours) + _MARGIN
    longest = sum((longest_measurement(selected(plan, part)) for part in clients(tasks)), _MARGIN)
    return min(longest, LONGEST_LIFE)
