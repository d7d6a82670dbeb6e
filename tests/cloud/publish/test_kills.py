"""A publication that is killed, or meets a fault, at any call, and the run after it.

The end is the same as that of a run that nothing disturbed. A case is a call: the n-th that is
made in one of the regions, which work side by side. Killed here means that no call of the process
is made any more; `test_a_killed_process` sends the signal.
`pytest -m slow -s tests/cloud/publish/test_kills.py` prints the figures of docs/reliability.md.
`make soak` tries every call, as NITRO_FAULT_STEP=1 does; otherwise it is every tenth one.
NITRO_FAULT_FIRST=1 begins with the second call, so that a full run can be made in pieces.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from botocore.model import OperationModel

from nitro.cloud import Cloud, garbage
from nitro.cloud.dryrun import changes_something
from nitro.errors import NitroError
from nitro.publish.release import Release
from nitro.publish.source import Source
from tests.cloud.conftest import connect
from tests.cloud.publish.accounts import account, state
from tests.cloud.publish.conftest import FRIEND, REGIONS, make_release, publish_it
from tests.cloud.test_faults import FAULTS, Fault
from tests.cloud.test_kills import account as served
from tests.lengths import length

pytestmark = pytest.mark.policies("publish")

STEP = int(os.environ.get("NITRO_FAULT_STEP", length(short=10, long=1)))
FIRST = int(os.environ.get("NITRO_FAULT_FIRST", "0"))


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the product catches it."""


def die() -> None:
    raise Killed


KILL = Fault(before=die, after=die, lasting=True)


@dataclass
class Injector:
    """Counts the calls in each region, and brings the fault about at the n-th of one of them."""

    fault: Fault | None = None
    region: str = ""
    nth: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    hit: str = ""
    _lock: Lock = field(default_factory=Lock)

    def attach(self, cloud: Cloud) -> None:
        events: Any = cloud.session.events
        events.register("before-call", self._before)
        events.register("after-call", self._after)

    def _before(self, model: OperationModel, request_signer: Any, context: Any, **_: Any) -> Any:
        region = request_signer._region_name
        with self._lock:
            self.counts[region] += 1
            due = region == self.region and self.counts[region] == self.nth
            if due:
                self.hit = model.name
        context["due"] = due
        if self.fault and self.fault.before and not self.fault.after and due:
            return self.fault.before()
        if self.fault and self.fault.lasting and self.hit and not due:
            return self.fault.before()  # type: ignore[misc]
        return None

    def _after(self, context: Any, **_: Any) -> None:
        if context.get("due") and self.fault and self.fault.after:
            self.fault.after()


def a_release(disk: Source, via: str) -> Release:
    return make_release(disk, via=via, share={"accounts": [FRIEND]})


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nothing disturbs, and how many calls it makes in each region."""

    state: dict[str, Any]
    calls: Counter[str]


def undisturbed(folder: Path, wanted: Release) -> Undisturbed:
    with account(folder) as administrator:
        counter, runner = Injector(), connect()
        counter.attach(runner)
        assert not publish_it(wanted, runner).failed
        return Undisturbed(state(administrator), counter.counts)


def try_once(
    folder: Path, wanted: Release, fault: Fault, region: str, nth: int, end: dict[str, Any]
) -> tuple[bool, str]:
    """Whether the disturbed run succeeded, and what is wrong after the one that followed it."""
    with account(folder) as administrator:
        victim = connect()
        injector = Injector(fault, region, nth)
        injector.attach(victim)
        succeeded = False
        try:
            succeeded = not publish_it(wanted, victim).failed
        except (Killed, NitroError):
            pass
        except BaseException as error:
            return False, f"{injector.hit}: traceback {error!r}"
        before = state(administrator)
        if succeeded and before != end:
            return True, f"{injector.hit}: {difference(before, end)}"
        again = publish_it(wanted)
        if again.failed:
            return succeeded, f"{injector.hit}: then {again.failed[0].error!r}"
        looked = garbage.find_in(administrator, REGIONS, young=timedelta(0))
        left = [found.reason for region in looked for found in region.garbage]
        return succeeded, difference(state(administrator), end) or "; ".join(left)


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    return "; ".join(
        f"{region} {kind}: {found[region][kind]} instead of {wanted[region][kind]}"
        for region in wanted
        for kind in wanted[region]
        if found[region][kind] != wanted[region][kind]
    )


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("via", ["s3", "ebs"])
@pytest.mark.parametrize("name", ["killed", "500", "throttled", "lost answer", "cut answer"])
def test_a_fault_at_any_call(name: str, via: str, tmp_path: Path, disk: Source) -> None:
    wanted = a_release(disk, via)
    fault = KILL if name == "killed" else FAULTS[name]
    usual = undisturbed(tmp_path / "usual", wanted)
    places = [(region, nth) for region in REGIONS for nth in range(1, usual.calls[region] + 1)]
    succeeded, wrong = 0, []
    places = places[FIRST::STEP]
    for region, nth in places:
        ok, problem = try_once(
            tmp_path / f"{region}-{nth}", wanted, fault, region, nth, usual.state
        )
        succeeded += ok
        wrong += [f"{name} at call {nth} in {region}, {problem}"] if problem else []
    print(f"\n{name}, {via}: {len(places)} cases, {succeeded} succeeded at once")
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("via", ["s3", "ebs"])
def test_a_killed_process(via: str, tmp_path: Path, disk: Source) -> None:
    """The signal itself, after a change, to a process of its own."""
    wanted, cases = a_release(disk, via), 0
    for nth in range(length(short=4, long=1), 100, length(short=16, long=1)):
        with served(tmp_path / f"{nth}") as url:
            child = os.fork()
            if child == 0:
                _publish_and_die(wanted, connect(endpoint_url=url), nth)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert not publish_it(wanted, connect(endpoint_url=url)).failed
            found = state(connect(endpoint_url=url))
        for region in REGIONS:
            kinds = ("images", "snapshots", "parameters", "uploads")
            assert [len(found[region][kind]) for kind in kinds] == [1, 1, 1, 0]
        if status == 0:  # it makes fewer changes
            break
        assert status == -signal.SIGKILL
        cases += 1
    print(f"\nSIGKILL, {via}: {cases} cases")
    assert cases > 1


def _publish_and_die(wanted: Release, victim: Cloud, nth: int) -> None:
    """In a process of its own: publish, and end by SIGKILL after the n-th change."""
    made = Counter[str]()

    def handle(model: OperationModel, **_: Any) -> None:
        made["changes"] += changes_something(model.name, {})
        if made["changes"] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    victim.session.events.register("after-call", handle)
    publish_it(wanted, victim)
    os._exit(0)
