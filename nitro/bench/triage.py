"""What changed between the two sides of a step: the conditions that only the new side has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from nitro.bench.record import Record
from nitro.documents.bench import ChangedConditionDocument
from nitro.errors import InputError

# What a cell's nights may differ in, the likeliest cause first.
CONDITIONS = (
    *("digest", "loaded_driver", "driver_version", "kernel", "revision", "nitro"),
    *("plan_digest", "version", "nic", "accelerator", "host", "zone", "placement", "market"),
    *("baseline_bits", "peak_bits"),
)
_BEFORE = 5  # nights before a step that it is compared with
# What it was before the record had the column.
_ALWAYS = {"market": "on-demand"}
_VALUES = {name: f"coalesce({name}, '{value}')" for name, value in _ALWAYS.items()}
_LISTS = ", ".join(
    f"list_sort(list(DISTINCT CAST({value} AS VARCHAR)) FILTER ({value} IS NOT NULL)) AS {name}"
    for name in CONDITIONS
    for value in (_VALUES.get(name, name),)
)
_SQL = f"""
SELECT night >= $step AS new, {_LISTS}
FROM samples
WHERE cell = $cell AND night <= $found AND error IS NULL AND night >= (
    SELECT min(night) FROM (
        SELECT DISTINCT night FROM samples WHERE cell = $cell AND night < $step
        ORDER BY night DESC LIMIT {_BEFORE}))
GROUP BY new ORDER BY new
"""


@dataclass(frozen=True)
class Sides:
    """Where to look: a cell, the first night of its new level, and the last one to look at."""

    plan: str
    cell: str
    night: date
    found: date


@dataclass(frozen=True)
class Difference:
    """A condition that has values since a step that it did not have in the nights before."""

    what: str
    before: Sequence[str]
    after: Sequence[str]

    def to_json(self) -> ChangedConditionDocument:
        """The difference as JSON has it."""
        return {"what": self.what, "before": list(self.before), "after": list(self.after)}

    def __str__(self) -> str:
        before, after = (", ".join(side) or "none" for side in (self.before, self.after))
        return f"{self.what}: {before} → {after}"


def differences(record: Record, sides: Sides) -> tuple[Difference, ...]:
    """What changed with a step, the likeliest cause first; empty when nothing that is recorded
    did, which says that the cloud itself, or chance, is the cause.

    Raises InputError where the cell has no night on one of the sides.
    """
    parameters = {"cell": sides.cell, "step": sides.night, "found": sides.found}
    rows = record.query(_SQL, parameters, plan=sides.plan).to_pylist()
    if len(rows) != 2:
        has_old = any(not row["new"] for row in rows)
        where = f"from {sides.night} on" if has_old else f"before {sides.night}"
        raise InputError(
            f"the plan {sides.plan} has no runs of {sides.cell!r} {where}",
            hint="name the cell and the night as `nitro bench check` does",
        )
    old, new = rows
    return tuple(
        Difference(name, tuple(old[name] or ()), tuple(new[name] or ()))
        for name in CONDITIONS
        if set(new[name] or ()) - set(old[name] or ())
    )
