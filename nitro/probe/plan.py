"""A plan: the steps that measure one target, in order, and how long they may take together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nitro.errors import InputError
from nitro.probe import allowances
from nitro.probe.base import Probe
from nitro.probe.result import Result
from nitro.probe.step import Step, StepOutput, evaluate

READY_WITHIN = 180.0  # seconds that the client waits for the target's ports
SEND_WITHIN = 120.0  # seconds for sending the results
ANY_ADDRESS = "192.0.2.1"  # of TEST-NET-1, RFC 5737: stands for one that is not known (yet)
WAIT = "wait"  # the name of the line that waits


@dataclass(frozen=True)
class ProbePlan:
    """`target` is an IP address. The names of the steps differ.

    With `allowances`, the client reads the ENA drivers' counters before and after each step.
    """

    target: str
    steps: tuple[Step, ...]
    allowances: bool = False

    @property
    def readings(self) -> int:
        """How often the counters are read."""
        return len(self.steps) + 1 if self.allowances and self.steps else 0

    @property
    def deadline(self) -> float:
        """Seconds after which a client that has booted must have sent its results."""
        steps = sum(step.deadline for step in self.steps) + self.readings * allowances.WITHIN
        return READY_WITHIN + steps + SEND_WITHIN

    @property
    def output_bytes(self) -> int:
        """More than the archive of all outputs has, when the tools print what they should."""
        outputs = sum(step.output_bytes for step in self.steps)
        return outputs + self.readings * allowances.OUTPUT_BYTES

    def text(self) -> str:
        """Lines `NAME DEADLINE COMMAND` for `amis/client/run-plan`, the wait for all ports first.

        The wait knocks at each port, which iperf3's and netperf's servers take well.
        """
        if not self.steps:
            return ""
        ports = sorted({step.port for step in self.steps})
        knock = f"until nc -w 1 {self.target} $port -e true; do sleep 0.2; done"
        numbers = " ".join(str(port) for port in ports)
        lines = [f"{WAIT} {math.ceil(READY_WITHIN)} for port in {numbers}; do {knock}; done"]
        read = f"{math.ceil(allowances.WITHIN)} exec {allowances.COMMAND} {self.target}"
        lines += [f"{_reading(0)} {read}"] if self.allowances else []
        # exec: the deadline is to stop the tool, not the shell around it.
        for number, step in enumerate(self.steps, 1):
            pause = f"sleep {step.settle:g}; " if step.settle else ""
            lines.append(f"{step.name} {math.ceil(step.deadline)} {pause}exec {step.command}")
            lines += [f"{_reading(number)} {read}"] if self.allowances else []
        return "".join(f"{line}\n" for line in lines)

    @property
    def names(self) -> frozenset[str]:
        """Of all lines that measure or read the counters."""
        readings = (_reading(number) for number in range(self.readings))
        return frozenset((*(step.name for step in self.steps), *readings))

    def finished(self, outputs: Mapping[str, StepOutput]) -> dict[int, Result]:
        """The results of the steps of which everything is there, by their places in `steps`."""
        there = [
            {step.name, *(_reading(number + n) for n in (0, 1) if self.readings)} <= outputs.keys()
            for number, step in enumerate(self.steps)
        ]
        return {n: result for n, result in enumerate(self.results(outputs)) if there[n]}

    def results(self, outputs: Mapping[str, StepOutput]) -> list[Result]:
        """One result for each step; a step without an output has failed."""
        results = [
            evaluate(step, outputs[step.name])
            if step.name in outputs
            else Result(step.tool, step.name, error=f"{step.name}: did not run")
            for step in self.steps
        ]
        readings = [
            allowances.read(outputs[name].stdout) if (name := _reading(n)) in outputs else {}
            for n in range(self.readings)
        ]
        if not readings:
            return results
        return [
            replace(result, allowances=allowances.growth(before, after))
            for result, before, after in zip(results, readings[:-1], readings[1:], strict=True)
        ]


def build(probes: Iterable[Probe], target: str, *, allowances: bool = False) -> ProbePlan:
    """The plan for `target`; a name that comes again gets a number.

    Raises InputError for a target that is no plain address or host name.
    """
    if not target or not all(c.isalnum() or c in ".:-" for c in target) or target[0] == "-":
        raise InputError(f"{target!r} is not an address that can be measured")
    steps: list[Step] = []
    seen: dict[str, int] = {}
    for step in (step for probe in probes for step in probe.steps(target)):
        seen[step.name] = count = seen.get(step.name, 0) + 1
        steps.append(step if count == 1 else replace(step, name=f"{step.name}-{count}"))
    return ProbePlan(target, tuple(steps), allowances)


def _reading(number: int) -> str:
    """The name of the line that reads the counters for the `number`th time."""
    return f"allowances-{number}"
