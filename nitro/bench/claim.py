"""Who measures a night: a note in the record, from before anything is made until all is removed.

    ROOT/running/PLAN/NIGHT/DEPLOYMENT.json

A process that was killed leaves its note, and perhaps instances, behind. The next one that measures
the night removes them, if it can be sure that the other is gone: a process of this machine that is
no more, or an earlier attempt of the same job of AWS Batch. What it cannot be sure of ends itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from nitro.bench.store import Store

BATCH_JOB = "AWS_BATCH_JOB_ID"  # the same for all attempts; set in every container of AWS Batch


@dataclass(frozen=True)
class Claim:
    """`machine` names a running Linux and a PID namespace in it, `began` is the clock tick of the
    process's start: a number that comes again is not taken for the same process."""

    deployment: str
    region: str
    machine: str
    pid: int
    began: str
    job: str | None

    @property
    def abandoned(self) -> bool:
        """Whether its process is known to be gone."""
        if self.job and self.job == os.environ.get(BATCH_JOB):
            return (self.machine, self.pid, self.began) != (_machine(), os.getpid(), _began("self"))
        here = bool(self.machine) and self.machine == _machine()
        return here and _began(str(self.pid)) != self.began


@contextmanager
def claimed(store: Store, plan: str, night: date, deployment: str, region: str) -> Iterator[None]:
    """A note for the length of the block. It stays where the process is killed."""
    job = os.environ.get(BATCH_JOB)
    claim = Claim(deployment, region, _machine(), os.getpid(), _began("self"), job)
    path = _path(plan, night, deployment)
    store.write(path, json.dumps(asdict(claim)).encode())
    try:
        yield
    finally:
        store.remove(path)


def abandoned(store: Store, plan: str, night: date, region: str) -> list[str]:
    """The deployments of the night that processes left behind which are gone."""
    claims = filter(None, map(_parse, store.read(_folder(plan, night)).values()))
    return [one.deployment for one in claims if one.region == region and one.abandoned]


def forget(store: Store, plan: str, night: date, deployment: str) -> None:
    """Nothing is left of an abandoned deployment."""
    store.remove(_path(plan, night, deployment))


def _parse(text: str | bytes) -> Claim | None:
    """None for a note that this version of nitro did not write: nothing is known of its process."""
    try:
        return Claim(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _folder(plan: str, night: date) -> str:
    return f"running/{plan}/{night.isoformat()}"


def _path(plan: str, night: date, deployment: str) -> str:
    return f"{_folder(plan, night)}/{deployment}.json"


def _machine() -> str:
    """ "" where there is no /proc: then nothing is known of other processes, either."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(process: str) -> str:
    """ "" for a process that is not there."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    # After the name, which may have spaces and brackets: state first, the start 19 fields on.
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
