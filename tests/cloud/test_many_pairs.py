"""2,000 pairs (200 in the short form) without a machine.

The plan is dealt out whole, within quota and budget, and no two writers touch the same file. Time
is simulated: each part has a clock of its own, which a measurement moves.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import budget, pairs, sites
from nitro.bench import night as nights
from nitro.bench.images import CLIENT, Image
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.schedule import Part
from nitro.bench.store import FolderStore
from nitro.bench.submit import count_parts
from nitro.cloud import Cloud, Instance, InstanceType, Placement, Undo
from nitro.cloud.network import Subnet
from nitro.cloud.teardown import Lifetime
from nitro.measure import Measurement
from nitro.probe import Metric, Result, ToolProber
from nitro.progress import Reporter
from tests.lengths import length
from tests.unit.bench.samples import NIGHT

SIZES = length(short=5, long=50)
TYPES = [f"{family}{n}.large" for family in ("c", "m") for n in range(SIZES)]
RECIPES = [f"image-{n}" for n in range(10)]
PAIRS = 2 * len(TYPES) * len(RECIPES)  # each with both drivers
QUOTA = 96 * SIZES  # vCPUs, for 60 % of the pairs at a time
PRICE, MINUTES = 0.06, 6.0  # US dollars an hour of each instance, and one client's time
PLAN = {
    "name": "many",
    "repetitions": 2,
    "warm_up": 0,
    "pairs_at_once": 2000,
    "prices": dict.fromkeys(TYPES, PRICE),
    "matrix": {"images": RECIPES, "drivers": ["nitro", "kernel"], "types": TYPES},
    "test": [{"protocol": "netperf-tcp-rr"}, {"protocol": "http"}],
}


@dataclass
class World:
    """What stands in for AWS. Each thread runs one part at a time, with a clock of its own."""

    local: threading.local = field(default_factory=threading.local)
    lock: threading.Lock = field(default_factory=threading.Lock)
    most_alive: Counter[int] = field(default_factory=Counter)  # servers of a part at a time
    hours: defaultdict[int, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # of instances, by part

    def clock(self) -> float:
        return float(self.local.now)

    def launch(
        self, cloud: Cloud, ami: str, kind: InstanceType, placement: Placement, undo: Undo, **_: Any
    ) -> Instance:
        part = self.local.part
        self.local.alive += 1
        self.most_alive[part] = max(self.most_alive[part], self.local.alive)
        began = self.clock()

        def end(_: str) -> None:
            self.local.alive -= 1
            self.hours[part] += (self.clock() - began) / 3600

        undo.push("a server", Lifetime.INSTANCE, remove=end, id="i-1")
        return Instance("i-1", kind.name, "running", "", "10.0.0.9", "subnet-1")

    def run_probes(self, cloud: Cloud, measurement: Measurement, *_: Any) -> list[Result]:
        self.local.now += 60 * MINUTES
        self.hours[self.local.part] += MINUTES / 60  # the client's
        metric = {"tcp_rr": Metric(1e4, "transactions/s", "more")}
        steps = measurement.selection.plan("10.0.0.9").steps
        return [Result(step.tool, step.name, metric, started=1.7e9) for step in steps]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    group = Placement("d-1", Subnet("subnet-1", "vpc-1", "eu-west-1a"), "sg-1", None)
    kind = InstanceType("", 2, 4096, ("x86_64",), ("uefi",), "required", "nitro", False, "")
    for module, name, stand_in in (
        (pairs, "launch", made.launch),
        (pairs, "run_probes", made.run_probes),
        (nights, "create_placement", lambda *_, **__: group),
        (nights, "find_subnets", lambda *_: [group.subnet]),
        (sites, "find_instance_type", lambda _, name: replace(kind, name=name)),
        (sites, "preflight", SimpleNamespace(check=lambda *_, **__: [])),
        (nights, "abandoned", lambda *_: []),
        (budget, "time", SimpleNamespace(monotonic=made.clock)),
    ):
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return made


@contextmanager
def numbered(world: World, part: int) -> Iterator[None]:
    world.local.part, world.local.now, world.local.alive = part, 0.0, 0
    yield
    assert world.local.alive == 0


def run(world: World, record: Record, plan: Plan, part: Part) -> nights.NightReport:
    ec2 = SimpleNamespace(terminate_instances=lambda **_: None)
    cloud: Any = SimpleNamespace(region="eu-west-1", ec2=ec2, sleep=lambda _: None)
    cloud.in_region = lambda _: cloud
    cloud.endpoint_url = None
    builder: Any = None  # the images are there
    images = {(r, d): Image("ami-1", "sha256:1") for r in RECIPES for d in ("nitro", "kernel")}
    with numbered(world, part.index):
        return nights.run(
            cloud,
            plan,
            record,
            builder=builder,
            prober=ToolProber(),
            report=Reporter(),
            night=NIGHT,
            part=part,
            images={"eu-west-1": images | {CLIENT: Image("ami-2", "sha256:2")}},
        )


@pytest.mark.soak
@pytest.mark.slow
def test_many_pairs_stay_within_quota_and_budget(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, money = Plan.model_validate(PLAN), 0.4 * SIZES
    kind = InstanceType("", 2, 4096, ("x86_64",), ("uefi",), "required", "nitro", False, "")
    types = [replace(kind, name=name) for name in TYPES]
    assert len(plan.machines("eu-west-1")) == PAIRS == 40 * SIZES
    count = count_parts(plan, "eu-west-1", types, QUOTA)
    assert count == 24 * SIZES
    # Each process works the tasks out once; here many share one.
    tasks, machines = list(plan.tasks("eu-west-1", NIGHT)), plan.machines("eu-west-1")
    monkeypatch.setattr(Plan, "tasks", lambda *_: iter(tasks))
    monkeypatch.setattr(Plan, "machines", lambda *_: machines)
    record = Record(FolderStore(tmp_path))

    def night(plan: Plan) -> list[nights.NightReport]:
        there = record.ids(plan.name, NIGHT)
        with monkeypatch.context() as patched, ThreadPoolExecutor(4) as threads:
            patched.setattr(Record, "ids", lambda *_: there)  # all parts begin at once
            return list(
                threads.map(lambda n: run(world, record, plan, Part(n, count)), range(count))
            )

    first = night(plan.model_copy(update={"max_cost": money}))
    # One server of a part at a time, and its client: never more vCPUs than the quota.
    assert set(world.most_alive.values()) == {1}
    assert count * 2 * 2 <= QUOTA
    spent = PRICE * sum(world.hours.values())
    one_more_client_each = count * 2 * PRICE * MINUTES / 60
    assert money / 2 < spent <= money + one_more_client_each
    left_out = sum(one.left_out for one in first)
    assert 0 < left_out < PAIRS * 4
    second = night(plan)
    assert sum(one.recorded for one in second) == left_out
    rows = record.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM samples").to_pylist()
    assert rows == [{"n": PAIRS * 4, "ids": PAIRS * 4}]
    assert set(world.most_alive.values()) == {1}
