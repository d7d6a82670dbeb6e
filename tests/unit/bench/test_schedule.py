"""How measurements are dealt out: to parts, to groups of machines, to clients."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nitro.bench.plan import Plan
from nitro.bench.schedule import WHOLE, Part, clients, groups, lifetime, rounds, selected
from tests.unit.bench.samples import NIGHT

PLAN = Plan.model_validate(
    {
        "name": "small",
        "repetitions": 3,
        "matrix": {"drivers": ["nitro", "kernel"], "types": ["c5.large", "c6in.large", "t3.micro"]},
        "test": [{"protocol": "http", "streams": list(range(1, 46))}],
    }
)
TASKS = WHOLE.tasks(PLAN, "eu-west-1", NIGHT)


def test_parts_have_every_task_once_and_keep_the_order():
    parts = [Part(index, 4).tasks(PLAN, "eu-west-1", NIGHT) for index in range(4)]
    assert sorted(task.position for part in parts for task in part) == list(range(len(TASKS)))
    for part in parts:
        assert part == sorted(part, key=lambda task: task.position)
    machines = [{task.cell.machine for task in part} for part in parts]
    assert sum(map(len, machines)) == len(set().union(*machines)) == 6


def test_a_group_has_only_so_many_machines():
    found = list(groups(TASKS, 4))
    assert [len({task.cell.machine for task in group}) for group in found] == [4, 2]
    assert sorted(task.position for group in found for task in group) == list(range(len(TASKS)))


@pytest.mark.extended
def test_a_client_measures_one_repetition_of_one_machine_and_not_too_much():
    for part in clients(TASKS):
        assert len({(task.repetition, task.cell.machine) for task in part}) == 1
        assert len(part) <= 40
        assert selected(PLAN, part).allowances
    assert sum(map(len, clients(TASKS))) == len(TASKS)


def test_machines_of_a_round_differ_and_rounds_keep_the_order():
    found = list(rounds(TASKS))
    for part in found:
        assert len({tasks[0].cell.machine for tasks in part}) == len(part) == 6
    assert [tasks for part in found for tasks in part] == list(clients(TASKS))
    # Of one machine there is one client at a time.
    one = [task for task in TASKS if task.cell.machine == TASKS[0].cell.machine]
    assert [len(part) for part in rounds(one)] == [1] * len(list(clients(one)))


@pytest.mark.extended
def test_servers_live_as_long_as_they_may_be_needed():
    few = lifetime(PLAN, TASKS[:10])
    assert timedelta(hours=1) < few < lifetime(PLAN, TASKS) <= timedelta(days=7)
    bounded = PLAN.model_copy(update={"max_hours": 2.0})
    assert lifetime(bounded, TASKS) == timedelta(hours=3)
