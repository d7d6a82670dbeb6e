"""Measures one instance: how it boots and what its network carries.

What a person asks for (`boot`, `iperf3:streams=4`) is a `Selection`. Each `Probe` in it becomes
steps, each one run of one tool; the steps for one target make a `ProbePlan`. A plan runs on this
machine (`host`) or on a second instance, which sends the tools' output back (`archive`). What
each tool printed is evaluated here, by what it says and never by its exit code.
`docs/probes.md` says what every number means.

It does not repeat, average or compare measurements, it launches nothing, and it does not know
AWS.
"""

from nitro.probe.allowances import Allowance
from nitro.probe.boot import Boot
from nitro.probe.mtu import AtMtu, Mtu
from nitro.probe.plan import ProbePlan
from nitro.probe.prober import ToolProber
from nitro.probe.result import Metric, Result
from nitro.probe.spec import Selection, defaults, parse

__all__ = [
    "Allowance",
    "AtMtu",
    "Boot",
    "Metric",
    "Mtu",
    "ProbePlan",
    "Result",
    "Selection",
    "ToolProber",
    "defaults",
    "parse",
]
