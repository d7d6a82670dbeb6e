"""One run of one tool: what to run, for how long at most, and how to read what it printed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from nitro.errors import ProbeError
from nitro.probe.result import Measured, Result

SLACK = 15.0  # seconds a tool may need beyond its measurement: connecting, TCG, slow ends


@dataclass(frozen=True)
class Step:
    """`seconds` is the length of the measurement that the command asks for, `settle` the time to
    wait before it, for a server that has just served another client.

    `output_bytes` is more than what the tool prints takes when compressed.
    `parse` reads what the tool printed (stdout, stderr) and raises ProbeError, and nothing
    else, for whatever is not a complete measurement.
    """

    name: str
    tool: str
    port: int
    argv: tuple[str, ...]
    seconds: float
    parse: Callable[[str, str], Measured]
    settle: float = 0.0
    output_bytes: int = 1024

    @property
    def command(self) -> str:
        return shlex.join(self.argv)

    @property
    def deadline(self) -> float:
        """Seconds after which the tool is stopped."""
        return self.settle + self.seconds + SLACK


@dataclass(frozen=True)
class StepOutput:
    """How a step went. `seconds` by a clock that does not jump."""

    stdout: str
    stderr: str
    started: float
    seconds: float


def evaluate(step: Step, output: StepOutput) -> Result:
    """The result of a step. A failed one says why and keeps the output."""
    measured, error = Measured({}), None
    try:
        measured = step.parse(output.stdout, output.stderr)
    except ProbeError as failure:
        error = f"{step.name}: {failure}"
        if output.seconds >= step.deadline:
            error = f"{step.name}: stopped at its deadline of {step.deadline:g} s; {failure}"
    raw = "\n".join(text.rstrip() for text in (output.stdout, output.stderr) if text.strip())
    return Result(
        tool=step.tool,
        name=step.name,
        metrics=measured.metrics,
        raw=raw,
        error=error,
        command=step.command,
        started=output.started,
        seconds=output.seconds,
        version=measured.version,
    )
