"""A night that gets SIGKILL after each of its changes, and is then run again.

Each run is a process of its own, forked from this one, which keeps the account and the record.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nitro import client
from nitro import recipe as recipes
from nitro.bench import night as nights
from nitro.bench import pairs
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.cloud import Cloud, DiskImage, Undo
from nitro.cloud.dryrun import changes_something
from nitro.measure import Measurement
from nitro.probe import Result
from nitro.probe.step import StepOutput
from nitro.progress import Reporter
from tests.cloud.conftest import connect, everything
from tests.cloud.joint import OUTPUTS, RECIPE, FakeBuilder, FakeProber, small_disk
from tests.cloud.test_kills import account
from tests.lengths import length

NIGHT = date(2026, 11, 26)
STEP = length(short=13, long=1)  # of the changes after which a night is killed
PLAN = """
name = "small"
seconds = 3
repetitions = 2
[matrix]
types = ["c5.large", "c5.xlarge"]
[[test]]
protocol = "http"
streams = [4, 8]
"""
RUNS = 2 * 2 * 3  # types, streams, repetitions with the one that warms up


def probes_of_a_client(measured: Path) -> Callable[..., list[Result]]:
    """In place of `run_probes`: a client is launched, reports each of its steps, and ends.

    Each step is a line of the file `measured`, whichever process asked for it.
    """

    def run(
        cloud: Cloud,
        measurement: Measurement,
        prober: object,
        undo: Undo,
        report: Reporter,
        on_step: client.OnStep,
    ) -> list[Result]:
        plan = measurement.selection.plan("10.0.0.9")
        assert measurement.client_ami
        with client.launched_client(
            cloud,
            undo,
            measurement.client_ami,
            measurement.instance_type,
            measurement.placement,
            plan,
            report=report,
        ):
            outputs = {s.name: StepOutput(OUTPUTS["http"], "", 1e9, 3.1) for s in plan.steps}
            results = plan.results(outputs)
            for number, result in enumerate(results):
                with measured.open("a") as file:
                    file.write(f"{result.name}\n")
                on_step(number, result)
            return results

    return run


def night_in_child(url: str, folder: Path, disk: DiskImage, kill_after: int | None) -> int:
    """Run the night in a forked process, which gets SIGKILL after so many changes of the account
    or the record. Returns its exit code, or the negative number of the signal that ended it."""
    child = os.fork()
    if child == 0:
        sys.stderr.flush()
        try:
            _run(url, folder, disk, kill_after)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(url: str, folder: Path, disk: DiskImage, kill_after: int | None) -> None:
    victim, made = connect(endpoint_url=url), 0

    def count() -> None:
        nonlocal made
        made += 1
        if made == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    def after_call(model: Any, **_: Any) -> None:
        if changes_something(model.name, {}):
            count()

    class CountingStore(FolderStore):
        def write(self, path: str, data: bytes) -> None:
            count()
            super().write(path, data)
            count()

        def remove(self, path: str) -> None:
            super().remove(path)
            count()

    victim.session.events.register("after-call", after_call)
    nights.run(
        victim,
        Plan.load(folder / "plan.toml"),
        Record(CountingStore(folder / "record")),
        builder=FakeBuilder(disk),
        prober=FakeProber(),
        report=Reporter(),
        night=NIGHT,
    )


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(1800)  # its 62 cases took eight minutes on two busy cores
def test_a_night_killed_after_each_change_is_finished_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, cases = recipes.load, 0
    monkeypatch.setattr(recipes, "load", lambda name: RECIPE if name == "bench" else load(name))
    for kill_after in range(3, 200, STEP):
        folder = tmp_path / f"{kill_after}"
        folder.mkdir()
        (folder / "plan.toml").write_text(PLAN)
        disk, measured = small_disk(folder / "disk.raw"), folder / "measured"
        record = Record(FolderStore(folder / "record"))
        monkeypatch.setattr(pairs, "run_probes", probes_of_a_client(measured))
        with account(folder / "blocks") as url:
            ended = night_in_child(url, folder, disk, kill_after)
            before = record.ids("small", NIGHT)
            assert night_in_child(url, folder, disk, None) == 0, kill_after
            left = everything(connect(endpoint_url=url))
        assert (left["instances"], left["groups"], left["volumes"]) == ([], [], []), kill_after
        ids = record.query("SELECT id, error FROM samples").to_pylist()
        assert len(ids) == len({row["id"] for row in ids}) == RUNS, kill_after
        assert before <= {row["id"] for row in ids}
        # At most the run under way was measured twice.
        assert len(measured.read_text().splitlines()) <= RUNS + 1, kill_after
        assert not list((folder / "record/running").rglob("*.json"))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        cases += 1
    print(f"\nkilled: {cases} cases")
    assert cases >= 40 // STEP
