"""Measures one instance: how it boots and what its network carries.

A `Probe` is what a person asks for (`iperf3:streams=4`). It becomes steps, each one run of one
tool; the steps for one target make a `Plan`. The plan runs on a second instance (`client`) or
on this machine (`host`), and what each tool printed is judged here, by what it says and never
by its exit code. `docs/probes.md` says what every number means.

It does not repeat, average or compare measurements, and it launches nothing but the client.
"""

from nitro.probe.plan import Plan, build
from nitro.probe.result import Metric, Result
from nitro.probe.spec import Probe, defaults, parse

__all__ = ["Metric", "Plan", "Probe", "Result", "build", "defaults", "parse"]
