"""Which job may run, and what becomes of one that ended.

A job waits for those that it depends on, then for room in its compute environment. An attempt that
fails is followed by another one as often as the job's strategy says. A job whose dependency failed
fails without a run, as on AWS.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from nitro.local.batch.jobs import Attempt, Dependency, Job, Runner

PAUSE = 0.1  # seconds between two looks at the processes


class Scheduler:
    """The jobs of one region. `room` gives the vCPUs of a queue's environments, in order of use."""

    def __init__(
        self,
        runner: Runner,
        region: str,
        room: Callable[[str], dict[str, int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner, self._region, self._room, self._clock = runner, region, room, clock
        self._jobs: dict[str, Job] = {}
        self._places: dict[str, str] = {}  # of a running job: its compute environment
        self._held: Counter[str] = Counter()  # vCPUs of each
        self.lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def find(self, job_id: str) -> Job | None:
        """A job, or a child by `ID:INDEX`."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """All jobs without children of arrays, oldest first."""
        return [job for job in self._jobs.values() if job.index is None]

    def add(self, job: Job) -> None:
        for one in (job, *job.children):
            self._jobs[one.id] = one
            one.status = "PENDING"
        self.tick()

    def terminate(self, job: Job, reason: str) -> None:
        """End a job whatever its state: running attempts are asked to end."""
        for one in job.children or (job,):
            if one.done:
                continue
            one.terminated = reason
            if one.process:
                one.process.end()
            else:
                _fail(one, reason)
        self._settle_arrays()

    def cancel(self, job: Job, reason: str) -> None:
        """End a job that has not started; one that runs goes on."""
        for one in job.children or (job,):
            if one.status in ("SUBMITTED", "PENDING", "RUNNABLE"):
                _fail(one, reason)
        self._settle_arrays()

    def tick(self) -> None:
        """Look at the processes, settle what ended, start what may start."""
        with self.lock:
            for job in self._leaves():
                if job.process:
                    self._look_at(job)
            changed = True
            while changed:  # one that failed may fail others
                self._settle_arrays()
                changed = sum(self._promote(job) for job in self._leaves()) > 0
            full: set[tuple[str, int]] = set()  # queues without room for so many vCPUs
            for job in [job for job in self._leaves() if job.status == "RUNNABLE"]:
                wants = (job.queue, job.task.vcpus)
                if wants in full:
                    continue
                if (place := self._place(job)) is None:
                    full.add(wants)
                else:
                    self._start(job, place)

    def watch(self) -> None:
        """Tick in a thread for as long as a job is not done."""
        with self.lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End all attempts."""
        with self.lock:
            for job in self.all():
                self.terminate(job, "the local Nitro ends")

    def _run(self) -> None:
        while True:
            with self.lock:
                self.tick()
                if all(job.done for job in self._jobs.values()):
                    self._thread = None
                    return
            time.sleep(PAUSE)

    def _leaves(self) -> Iterator[Job]:
        """What has attempts of its own, and may have some to come."""
        return (job for job in list(self._jobs.values()) if not job.children and not job.done)

    def _look_at(self, job: Job) -> None:
        assert job.process
        attempt, now = job.attempts[-1], self._now()
        code = job.process.poll()
        if code is None:
            late = job.task.seconds is not None and now - attempt.started > 1000 * job.task.seconds
            if late and not job.overdue:
                job.overdue = True
                job.process.end()
            return
        job.process = None
        self._held[self._places.pop(job.id)] -= job.task.vcpus
        attempt.stopped, attempt.exit_code = now, code
        attempt.reason = "Essential container in task exited"
        self._ended(job)

    def _ended(self, job: Job) -> None:
        """An attempt is over."""
        if job.attempts[-1].exit_code == 0 and job.terminated is None and not job.overdue:
            job.status, job.reason = "SUCCEEDED", job.attempts[-1].reason
        elif job.again:
            job.status = "RUNNABLE"
        else:
            late = "Job attempt duration exceeded timeout" if job.overdue else ""
            _fail(job, job.terminated or late or job.attempts[-1].reason)

    def _promote(self, job: Job) -> bool:
        """Whether a pending job changed, because its dependencies are done or one has failed."""
        if job.status != "PENDING":
            return False
        waited_for = list(self._waited_for(job))
        if any(one is None or one.status == "FAILED" for one in waited_for):
            _fail(job, "Dependent Job failed")
            return True
        if all(one is not None and one.done for one in waited_for):
            job.status = "RUNNABLE"
            return True
        return False

    def _waited_for(self, job: Job) -> Iterator[Job | None]:
        """The jobs that must succeed first; None: one that is not there."""
        for dependency in job.depends_on:
            yield from self._of(job, dependency)

    def _of(self, job: Job, dependency: Dependency) -> Iterable[Job | None]:
        if dependency.kind == "SEQUENTIAL":
            before = (job.index or 0) - 1
            return [self._jobs[sibling(job.id, before)]] if before >= 0 else []
        if dependency.kind == "N_TO_N":
            return [self._jobs.get(f"{dependency.job}:{job.index}")]
        return [self._jobs.get(dependency.job or "")]

    def _start(self, job: Job, place: str) -> None:
        attempt = Attempt(self._now())
        job.attempts.append(attempt)
        number = len(job.attempts)
        environment = dict(job.task.environment) | {
            "AWS_BATCH_JOB_ID": job.id,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": job.queue,
            "AWS_BATCH_CE_NAME": place,
        }
        if job.index is not None:
            environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
            environment["AWS_BATCH_JOB_ARRAY_SIZE"] = str(
                len(self._jobs[job.id.rpartition(":")[0]].children)
            )
        name = f"{job.id.replace(':', '-')}-{number}"
        try:
            job.process = self._runner.start(name, job.task.command, environment, self._region)
        except OSError as error:
            attempt.stopped = self._now()
            attempt.reason = f"CannotStartContainerError: {error}"
            self._ended(job)
            return
        self._places[job.id] = place
        self._held[place] += job.task.vcpus
        job.status, job.reason = "RUNNING", ""

    def _place(self, job: Job) -> str | None:
        """The first environment of the queue that has room for the job now."""
        for name, vcpus in self._room(job.queue).items():
            if self._held[name] + job.task.vcpus <= vcpus:
                return name
        return None

    def _settle_arrays(self) -> None:
        """An array job is done when its children are, and has failed when one of them has."""
        for job in self._jobs.values():
            if job.children and not job.done and all(child.done for child in job.children):
                failed = sum(child.status == "FAILED" for child in job.children)
                job.status = "FAILED" if failed else "SUCCEEDED"
                job.reason = "Array Child Job failed" if failed else "Array Job succeeded"

    def _now(self) -> int:
        return int(1000 * self._clock())


def sibling(child_id: str, index: int) -> str:
    """The id of another child of the same array job."""
    return f"{child_id.rpartition(':')[0]}:{index}"


def _fail(job: Job, reason: str) -> None:
    job.status, job.reason = "FAILED", reason
