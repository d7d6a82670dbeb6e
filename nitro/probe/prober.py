"""The probes' own way to measure: by the clock, the network and the tools of this machine."""

from __future__ import annotations

from nitro.probe import boot, host
from nitro.probe.plan import ProbePlan
from nitro.probe.result import Result
from nitro.progress import Reporter, Stage


class ToolProber:
    """What the command line measures with; see `nitro.interfaces.Prober`."""

    def check(self, plan: ProbePlan) -> None:
        host.check(plan)

    def wait_boot(self, watch: boot.Watch, *, deadline: float, stage: Stage) -> Result:
        return boot.wait(watch, deadline=deadline, stage=stage)

    def run(self, plan: ProbePlan, *, report: Reporter) -> list[Result]:
        return host.run(plan, report=report)
