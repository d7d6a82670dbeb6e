"""`nitro`, with simulated pairs: a client is launched and ends, and its tools printed something.

With KILL naming a file, the first process to come that far leaves it behind and gets SIGKILL.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest.mock import patch

from nitro import client
from nitro import recipe as recipes
from nitro.bench import pairs
from nitro.cli import main
from nitro.cloud import Cloud, Undo
from nitro.measure import Measurement
from nitro.probe import Result
from nitro.probe.step import StepOutput
from nitro.progress import Reporter
from tests.cloud.joint import OUTPUTS, RECIPE
from tests.cloud.policed import granted


def run_probes(
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
        if (kill := os.environ.get("KILL")) and not Path(kill).exists():
            Path(kill).write_text(os.environ["AWS_BATCH_JOB_ID"])
            os.kill(os.getpid(), signal.SIGKILL)
        outputs = {s.name: StepOutput(OUTPUTS["http"], "", 1e9, 3.1) for s in plan.steps}
        return plan.results(outputs)


if __name__ == "__main__":
    load = recipes.load
    with (
        granted("deploy", "bench", buckets=["", "results"]),
        patch.multiple(pairs, run_probes=run_probes),
        patch.object(recipes, "load") as stand_in,
    ):
        stand_in.side_effect = lambda name: RECIPE if name == "bench" else load(name)
        main()
