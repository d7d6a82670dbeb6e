"""One fault at each call of a deployment: what comes of it, and what is left.

`pytest -m slow -s tests/cloud/test_faults.py` prints the figures of docs/reliability.md.
NITRO_FAULT_STEP=1 tries every call; without it, every tenth one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from nitro.cloud import Cloud, DiskImage, Keep, destroy, inventory
from nitro.errors import NitroError
from nitro.local.aws import Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from tests.cloud.conftest import NOTHING, connect, everything
from tests.cloud.joint import deploy, small_disk
from tests.cloud.policed import make_role

STEP = int(os.environ.get("NITRO_FAULT_STEP", "10"))
LONGEST = 150  # calls of a deployment, at the most


def refused(code: str, status: int) -> Callable[[], Any]:
    def answer() -> tuple[AWSResponse, dict[str, Any]]:
        body = {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return AWSResponse("", status, HTTPHeaders(), None), body

    return answer


def timed_out() -> Any:
    raise ConnectTimeoutError(endpoint_url="https://aws")


def lost() -> Any:
    raise ReadTimeoutError(endpoint_url="https://aws")


def cut() -> Any:
    raise ResponseParserError("unexpected end of the answer")


@dataclass(frozen=True)
class Fault:
    """What happens at one call, before it has effect or with its answer; `lasting`: ever after."""

    before: Callable[[], Any] | None = None
    after: Callable[[], Any] | None = None
    lasting: bool = False


FAULTS = {
    "500": Fault(before=refused("InternalError", 500)),
    "throttled": Fault(before=refused("RequestLimitExceeded", 503)),
    "no connection": Fault(before=timed_out),
    "lost answer": Fault(after=lost),
    "cut answer": Fault(after=cut),
    "denied": Fault(before=refused("UnauthorizedOperation", 403), lasting=True),
    "expired": Fault(before=refused("ExpiredToken", 400), lasting=True),
}


@dataclass
class Injector:
    """Counts the calls of a cloud and brings the fault about at the `nth`."""

    fault: Fault
    nth: int
    calls: int = 0
    hit: str = ""
    measured: bool = False  # the client's results had arrived when the fault came

    def attach(self, cloud: Cloud) -> None:
        events: Any = cloud.session.events
        events.register("before-call", self._before)
        events.register("after-call", self._after)

    def _before(self, model: Any, **_: Any) -> Any:
        self.calls += 1
        if self.calls == self.nth:
            self.hit = model.name
        if model.name == "TerminateInstances" and self.calls <= self.nth:
            self.measured = True  # the client goes when its results are there
        due = self.calls == self.nth or (self.fault.lasting and self.calls > self.nth)
        return self.fault.before() if due and self.fault.before else None

    def _after(self, **_: Any) -> None:
        if self.calls == self.nth and self.fault.after:
            self.fault.after()


@contextmanager
def account(folder: Path) -> Iterator[Cloud]:
    folder.mkdir()
    with install(Site(BlockStore(folder), NullHypervisor())), mock_aws():
        administrator = connect()
        make_role(administrator)
        yield administrator


@dataclass
class Figures:
    """What came of the cases of one kind of fault."""

    cases: int = 0
    succeeded: int = 0
    found: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, problem: str, case: str) -> None:
        self.found[problem] += 1
        self.examples.append(f"{problem}: {case}")


def try_once(figures: Figures, name: str, nth: int, disk: DiskImage, folder: Path) -> bool:
    """One case; False when the deployment has fewer calls."""
    with account(folder) as administrator:
        victim, not_removed = connect(), list[str]()
        injector = Injector(FAULTS[name], nth)
        injector.attach(victim)
        outcome: BaseException | None = None
        try:
            deployment = deploy(victim, disk, keep=Keep.NOTHING)
        except BaseException as error:
            outcome = error
        if not injector.hit:
            assert outcome is None, f"without a fault: {outcome!r}"
            return False
        case = f"{name} at call {nth}, {injector.hit}: {outcome!r}"
        figures.cases += 1
        if outcome is None:
            figures.succeeded += 1
            if len(deployment.probes) < 2:
                figures.note("result lost", case)
            not_removed = deployment.not_removed
        elif not isinstance(outcome, NitroError):
            figures.note("traceback", case)
        elif injector.measured:
            figures.note("result lost", case)
        launched = [
            instance
            for reservation in administrator.ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
        ]
        if len(launched) > 2:
            figures.note("duplicate", case)
        left = everything(administrator)
        if left != NOTHING:
            if not not_removed and not FAULTS[name].lasting:
                figures.note("leak", f"{case}, {_listed(left)}")
            destroy(administrator, inventory(administrator))
            if everything(administrator) != NOTHING:
                figures.note("invisible to destroy", case)
        return True


def _listed(left: dict[str, list[str]]) -> str:
    return ", ".join(f"{kind}: {len(ids)}" for kind, ids in left.items() if ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_at_each_call(name: str, tmp_path: Path) -> None:
    figures = Figures()
    disk = small_disk(tmp_path / "disk.raw")
    # Each kind of fault begins at another call, so that all calls have their turn.
    first = 1 + list(FAULTS).index(name) % STEP
    for nth in range(first, LONGEST, STEP):
        if not try_once(figures, name, nth, disk, tmp_path / str(nth)):
            break
    print(f"\n{name}: {figures.cases} cases, {figures.succeeded} succeeded, {dict(figures.found)}")
    assert figures.cases >= 60 // STEP
    assert not figures.found, "\n".join(figures.examples)
