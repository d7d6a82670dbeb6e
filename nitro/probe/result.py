"""What a probe found: numbers with units, and the text that they were read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from nitro.documents import RESULT_SCHEMA, ConditionsDocument, ResultDocument
from nitro.documents.metrics import Better
from nitro.probe.allowances import Allowance

# The smallest factor first; a value is shown with the largest one that it reaches.
_SCALES = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s")),
    "bit/s": ((1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")),
}
_ROUNDED = 0.9995  # the least part of 1 that three digits round to it


@dataclass(frozen=True)
class Metric:
    """A finite number and its unit: "bit/s", "s", "%", or what is counted ("requests/s").

    `better` says whether "more" or "less" of it is better; None: neither.
    """

    value: float
    unit: str
    better: Better | None

    def __str__(self) -> str:
        """For people: three digits and a fitting prefix, `2.31 Gbit/s`."""
        value, unit = self.value, self.unit
        if scales := _SCALES.get(unit):
            reached = (s for s in scales if _ROUNDED * s[0] <= abs(value))
            factor, unit = max(reached, default=scales[0])
            value /= factor
        size = abs(value) / _ROUNDED
        digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
        return f"{value:,.{digits}f} {unit}"


@dataclass(frozen=True)
class Measured:
    """What a parser read in a tool's output. `version` is None where the tool does not tell."""

    metrics: dict[str, Metric]
    version: str | None = None


@dataclass(frozen=True)
class Result:
    """One run of one tool.

    `started` is Unix time by the clock of the machine that ran the tool, `seconds` how long
    the run took with everything around the measurement. `raw` is what the tool printed.
    `conditions` are added by whoever knows them: the tool does not. `allowances` are how far
    counters moved, where they were read.
    """

    tool: str
    name: str
    metrics: dict[str, Metric] = field(default_factory=dict)
    raw: str = ""
    error: str | None = None
    command: str = ""
    started: float = 0.0
    seconds: float = 0.0
    version: str | None = None
    conditions: ConditionsDocument | None = None
    allowances: tuple[Allowance, ...] = ()

    @property
    def ok(self) -> bool:
        return self.error is None

    def to_json(self) -> ResultDocument:
        """The result as JSON has it."""
        return {
            "schema": RESULT_SCHEMA,
            "tool": self.tool,
            "name": self.name,
            "ok": self.ok,
            "error": self.error,
            "metrics": {
                name: {"value": m.value, "unit": m.unit, "better": m.better}
                for name, m in self.metrics.items()
            },
            "command": self.command,
            "version": self.version,
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="milliseconds"),
            "seconds": self.seconds,
            "conditions": self.conditions,
            "raw": self.raw,
        }
