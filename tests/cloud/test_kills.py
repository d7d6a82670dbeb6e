"""A deployment that is killed or interrupted after each of its changes, and the one after it.

Each deployment is a process of its own, forked from this one, which keeps the account.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.server import ThreadedMotoServer

from nitro.cloud import Cloud, DiskImage, Keep, destroy, inventory
from nitro.cloud.dryrun import changes_something
from nitro.errors import Interrupted
from nitro.local.aws import Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from nitro.probe import Boot, Metric, Result, Selection
from nitro.probe.boot import Watch
from nitro.progress import Stage
from tests.cloud.conftest import NOTHING, connect, everything
from tests.cloud.joint import FakeProber, deploy, small_disk
from tests.cloud.policed import make_role
from tests.lengths import length

SECOND_AFTER = 0.003  # seconds between two signals
STEP = length(short=3, long=1)  # of the changes after which a deployment ends
COMPLETED, INTERRUPTED, OTHERWISE = 0, 3, 4


class ReadyAtOnce(FakeProber):
    """No client takes part."""

    def wait_boot(self, watch: Watch, *, deadline: float, stage: Stage) -> Result:
        return Result("boot", "boot", {"boot_ready": Metric(2.5, "s", "less")})


def deploy_one(cloud: Cloud, disk: DiskImage) -> None:
    deploy(cloud, disk, keep=Keep.IMAGE, selection=Selection(Boot()), prober=ReadyAtOnce())


@contextmanager
def account(folder: Path) -> Iterator[str]:
    """The address of an account's endpoint."""
    folder.mkdir()
    with install(Site(BlockStore(folder), NullHypervisor())):
        server = ThreadedMotoServer(port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            url = f"http://{host}:{port}"
            requests.post(f"{url}/moto-api/reset", timeout=5).raise_for_status()
            administrator = connect(endpoint_url=url)
            make_role(administrator)
            yield url
        finally:
            server.stop()


def deploy_in_child(url: str, disk: DiskImage, signals: list[int], nth: int) -> int:
    """Deploy in a forked process that gets the signals after its `nth` change.

    Returns its exit code, or the negative number of the signal that ended it.
    """
    child = os.fork()
    if child == 0:
        sys.stderr.flush()
        os._exit(_deploy(url, disk, signals, nth))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _deploy(url: str, disk: DiskImage, signals: list[int], nth: int) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    victim, made = connect(endpoint_url=url), 0

    def handle(model: Any, **_: Any) -> None:
        nonlocal made
        made += changes_something(model.name, {})
        if made == nth and signals:
            first, *rest = signals
            signals.clear()
            for number in rest:
                threading.Timer(SECOND_AFTER, os.kill, (os.getpid(), number)).start()
            os.kill(os.getpid(), first)

    victim.session.events.register("after-call", handle)
    try:
        deploy_one(victim, disk)
    except (Interrupted, KeyboardInterrupt):  # the second signal may come after the clean-up
        return INTERRUPTED
    except BaseException:
        return OTHERWISE
    return COMPLETED


def state(observer: Cloud) -> dict[str, int]:
    return {kind: len(ids) for kind, ids in everything(observer).items()}


def next_deployment_repairs(url: str, disk: DiskImage) -> None:
    """After whatever happened, a deployment succeeds, leaves what it should, and all can go."""
    observer = connect(endpoint_url=url)
    deploy_one(connect(endpoint_url=url), disk)
    found = state(observer)
    assert (found["images"], found["snapshots"]) == (1, 1)
    destroy(observer, inventory(observer))
    assert everything(observer) == NOTHING


@pytest.mark.soak
@pytest.mark.slow
def test_killed_after_each_change(tmp_path: Path) -> None:
    disk, cases = small_disk(tmp_path / "disk.raw"), 0
    for nth in range(1, 60, STEP):
        with account(tmp_path / f"{nth}") as url:
            ended = deploy_in_child(url, disk, [signal.SIGKILL], nth)
            next_deployment_repairs(url, disk)
        if ended == COMPLETED:
            break
        assert ended == -signal.SIGKILL
        cases += 1
    print(f"\nkilled: {cases} cases")
    assert cases > 15 // STEP


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGINT]],
    ids=["SIGTERM", "SIGINT twice", "SIGTERM and SIGINT"],
)
def test_interrupted_after_each_change(tmp_path: Path, signals: list[int]) -> None:
    disk, cases = small_disk(tmp_path / "disk.raw"), 0
    for nth in range(1, 60, STEP):
        with account(tmp_path / f"{nth}") as url:
            ended = deploy_in_child(url, disk, list(signals), nth)
            if ended == COMPLETED:  # it came during the clean-up after success, or not at all
                break
            assert ended == INTERRUPTED, f"after change {nth}"
            assert everything(connect(endpoint_url=url)) == NOTHING, f"after change {nth}"
        cases += 1
    print(f"\n{signals}: {cases} cases")
    assert cases > 10 // STEP
