"""What pairs ask for as they are launched, run, die and move."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import pairs
from nitro.bench.images import CLIENT, Image
from nitro.bench.work import Work
from nitro.cloud import ApiError, Instance
from nitro.cloud.launch import NO_CAPACITY, Placement
from nitro.cloud.network import Subnet
from nitro.errors import Interrupted, NitroError
from nitro.probe import Result
from tests.heard import Heard
from tests.transcripts import compare
from tests.unit.bench.calls import KIND, NIGHT, REGION, cloud_of, new_log, plan

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"

SUBNETS = [Subnet(f"subnet-{n}", f"vpc-{n}", f"{REGION}{n}") for n in "ab"]


class Scene:
    """Pairs whose launches, runs and ends are made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcomes: list[Any], **more: Any) -> None:
        self.log = log = new_log()
        self.outcomes = iter(outcomes)
        market = "spot" if more.pop("spot", False) else "on-demand"
        self.plan = plan(market=market, **more)
        self.machine = self.plan.machines(REGION)[0]
        numbers = itertools.count(1)
        self.states = {"state": "running"}
        self.took: set[str] = set()
        self.number, self.for_ever = 0, False

        def launched(
            cloud: Any, ami: str, kind: Any, placement: Placement, *_: Any, **o: Any
        ) -> Any:
            outcome = next(self.outcomes)
            if isinstance(outcome, Exception):
                return outcome
            id_ = f"i-{next(numbers)}"
            return Instance(id_, kind.name, "running", "", "10.0.0.1", placement.subnet.id)

        def ran(_c: Any, m: Any, _p: Any, _u: Any, _r: Any, on_step: Any) -> Any:
            outcome = next(self.outcomes)
            if callable(outcome):
                return outcome(on_step)
            return outcome

        monkeypatch.setattr(pairs, "launch", log.of("launch", launched))
        monkeypatch.setattr(pairs, "run_probes", log.of("run_probes", ran))
        monkeypatch.setattr(pairs, "expiry", lambda ttl: datetime(2026, 1, 1, tzinfo=UTC) + ttl)
        monkeypatch.setattr(pairs, "processors", log.of("processors", {"CoreCount": 1}))
        monkeypatch.setattr(
            "nitro.bench.pairs.instance.get",
            log.of(
                "get",
                lambda _, id_: Instance(id_, "c5", self.states["state"], "", "", "", reason="why"),
            ),
        )
        monkeypatch.setattr(
            "nitro.bench.pairs.instance.taken",
            log.of("taken", lambda *_: set(self.took) | self._more()),
        )
        entry = SimpleNamespace(title="entry", what="the group")
        monkeypatch.setattr(
            "nitro.bench.pairs.placement_groups.create", log.of("create_group", entry)
        )
        ec2 = SimpleNamespace(terminate_instances=log.of("terminate"))
        cloud = cloud_of(ec2=ec2)
        placement = Placement(
            deployment="d-1",
            subnet=SUBNETS[0],
            group_id="sg-1",
            spot=market == "spot",
            ttl=timedelta(hours=1) if more.get("placement") else None,
        )
        image = Image("ami-1", "sha256:1", 2)
        machines: Any = {(m.image, m.driver): image for m in self.plan.machines(REGION)}
        self.kept: list[str] = []
        self.pairs = pairs.Pairs(
            cloud,
            self.plan,
            {**machines, CLIENT: replace(image, ami="ami-2")},
            {"c5.large": KIND},
            {"c5.large": SUBNETS},
            placement,
            prober=SimpleNamespace(title="prober"),
            bucket="b",
        )
        self.undo: Any = SimpleNamespace(title="undo", remove=log.of("remove"))

    def _more(self) -> set[str]:
        """Of instances that were taken, one more each time, where they are taken for ever."""
        self.number += 1
        return {f"i-{n}" for n in range(self.number)} if self.for_ever else set()

    def _get(self, _: Any, id_: str) -> Instance:
        return Instance(id_, "c5.large", self.states["state"], "", "", "", reason="why")

    def measure(self, spent: Any = lambda: False) -> str:
        heard = Heard()
        tasks = [t for t in self.plan.tasks(REGION, NIGHT) if t.cell.machine == self.machine]
        work = Work(self.plan, tasks, lambda runs, _: self.kept.append(f"{len(runs)} kept"))
        try:
            found = self.pairs.measure(self.machine, work, heard, spent)
            told_ = f"{found and [r.error for r in found[1]]}"
        except NitroError as error:
            told_ = f"{type(error).__name__} {error}"
        launched = sorted(one.driver for one in self.pairs.launched)
        text = f"{told_}; left {len(work.left)}, {self.kept}, servers {len(self.pairs.servers)}, "
        return text + f"launched {launched}\n{self.log.take()}  {heard.notes}\n"


OK, BAD = [Result("http", "http")], [Result("http", "http", error="refused")]
NO_ROOM = ApiError("no room", hint=None, code=NO_CAPACITY)
LOST = NitroError("lost")


def test_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    cases: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "well": (["up", OK], {}),
        "twice": (["up", OK, OK], {}),
        "the server dies once": (["up", LOST, "up", OK], {}),
        "the server dies twice": (["up", LOST, "up", LOST], {}),
        "no server once": ([LOST, "up", OK], {}),
        "no room for the server": ([NO_ROOM, NO_ROOM], {}),
        "no room, then some": ([NO_ROOM, "up", OK], {}),
        "no room after a server": (["up", LOST, NO_ROOM], {}),
        "no room for the client": (["up", NO_ROOM, "up", OK], {}),
        "no room for the client anywhere": (["up", NO_ROOM, "up", NO_ROOM, "up", OK], {}),
        "another refusal": ([ApiError("no", hint="h", code="X"), "up", OK], {}),
        "interrupted": (["up", Interrupted("stop")], {}),
        "runs fail beside a server that lives": (["up", BAD], {}),
        "runs fail as the server ends": (["up", BAD, "up", OK], {"state": "terminated"}),
        "runs fail as it starts": (["up", BAD], {"state": "pending"}),
        "all is told before it dies": (
            ["up", lambda take: take(0, OK[0]) or LOST, "up", OK],
            {},
        ),
        "spot, taken": (["up", LOST, "up", OK], {"spot": True, "took": {"i-1"}}),
        "spot, not taken": (["up", LOST, "up", LOST], {"spot": True}),
        "spot, taken for ever": (["up", LOST] * 40, {"spot": True, "more": True}),
        "on demand, taken": (["up", LOST, "up", LOST], {"took": {"i-1"}}),
        "in a group of its own": (["up", LOST, "up", OK], {"placement": "cluster"}),
    }
    for name, (outcomes, how) in cases.items():
        more = {key: value for key, value in how.items() if key not in ("state", "took", "more")}
        with monkeypatch.context() as patch:
            scene = Scene(patch, outcomes, **more)
            scene.states["state"] = how.get("state", "running")
            scene.took = how.get("took", set())
            scene.for_ever = "more" in how
            with scene.pairs.group(scene.undo):
                said = scene.measure()
                if name == "twice":
                    said += f"  again {scene.measure()}"
                if how.get("more"):
                    said = said[:200] + f"... {said.count('launch(')} launches\n"
            text += f"{name}: {said}  at the end\n{scene.log.take()}"
    for spent_after in (0, 1):
        with monkeypatch.context() as patch:
            scene = Scene(patch, ["up", LOST, "up", OK])
            asked = itertools.count()
            with scene.pairs.group(scene.undo):
                text += f"spent after {spent_after}: "
                text += scene.measure(lambda n=spent_after, a=asked: next(a) >= n)
    compare(HERE / "calls-pairs.txt", text)


def test_a_group_that_cannot_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    for error in (LOST, Interrupted("stop")):
        with monkeypatch.context() as patch:
            scene = Scene(patch, ["up", LOST, "up", OK], placement="cluster")
            scene.undo.remove = scene.log.of("remove", error)
            with scene.pairs.group(scene.undo):
                text += f"{error!r}: {scene.measure()}"
    compare(HERE / "calls-groups.txt", text)
