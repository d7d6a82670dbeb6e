"""Measuring from this machine, with the tools on its PATH. It installs none."""

from __future__ import annotations

import shutil
import subprocess
import time

from nitro.errors import ProbeError
from nitro.probe.plan import ProbePlan
from nitro.probe.result import Result
from nitro.probe.step import Step, StepOutput
from nitro.progress import Reporter


def check(plan: ProbePlan) -> None:
    """Raises ProbeError that names the tools of `plan` that this machine does not have."""
    tools = sorted({step.argv[0] for step in plan.steps})
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        raise ProbeError(
            f"cannot measure from this machine: no {', '.join(missing)} on PATH",
            hint="install what is missing, or measure from a client instance",
        )


def run(plan: ProbePlan, *, report: Reporter | None = None) -> list[Result]:
    """Run the steps one after the other, each under its deadline.

    Raises ProbeError, before anything runs, as `check` does.
    """
    report = report or Reporter()
    check(plan)
    outputs: dict[str, StepOutput] = {}
    with report.stage("measure") as stage:
        for number, step in enumerate(plan.steps):
            stage.progress(number, len(plan.steps), "steps")
            stage.status(step.name)
            time.sleep(step.settle)
            outputs[step.name] = _run(step)
    return plan.results(outputs)


def _run(step: Step) -> StepOutput:
    started, begun = time.time(), time.monotonic()
    try:
        done = subprocess.run(
            step.argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=step.deadline,
        )
        out, err = done.stdout, done.stderr
    except subprocess.TimeoutExpired as stopped:
        out, err = stopped.stdout or b"", stopped.stderr or b""
    except OSError as error:  # on PATH, but cannot be started
        out, err = b"", str(error).encode()
    seconds = round(time.monotonic() - begun, 3)
    return StepOutput(out.decode(errors="replace"), err.decode(errors="replace"), started, seconds)
