"""The time and the money that a night may take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nitro.bench.plan import Machine, Plan
from nitro.cloud import Cloud, prices
from nitro.errors import NitroError
from nitro.progress import Reporter

Prices = Mapping[tuple[str, str], float]  # US dollars an hour, by region and instance type


class BudgetSpent(NitroError):
    """What was asked for is not measured: the hours or the money are used up."""


@dataclass
class Budget:
    """What is left of a night. `max_cost` is in US dollars; None: no bound.

    The cost is an upper bound of what runs by the second: as if each machine of a group that had a
    server had one from the group's start until now, also where that has ended, and as many
    `clients` of the dearest type ran beside them all the time. It is 0 without prices.
    `launched`, below, are the machines that had a server in this group.
    """

    max_hours: float | None
    max_cost: float | None
    prices: Prices
    clients: int = 1
    _began: float = field(default_factory=lambda: time.monotonic())
    _group_began: float = 0.0
    _before: float = 0.0  # US dollars of the groups before this one

    def begin_group(self) -> None:
        self._group_began = time.monotonic()

    def end_group(self, launched: Iterable[Machine]) -> None:
        """Add what this group cost to that of the ones before it."""
        self._before = self.cost(launched)

    def is_spent(self, launched: Iterable[Machine]) -> bool:
        """Whether the hours or the money are used up."""
        hours = (time.monotonic() - self._began) / 3600
        if self.max_hours is not None and hours >= self.max_hours:
            return True
        return self.max_cost is not None and self.cost(launched) >= self.max_cost

    def cost(self, launched: Iterable[Machine]) -> float:
        """At most so many US dollars were spent."""
        if not self.prices:
            return 0.0
        hours = (time.monotonic() - self._group_began) / 3600
        servers = (self.prices[one.region, one.instance_type] for one in launched)
        beside = self.clients * max(self.prices.values())
        return self._before + hours * (sum(servers) + beside)


def prices_of(cloud: Cloud, plan: Plan, report: Reporter) -> Prices:
    """The prices of a plan that has a `max_cost`: its own, or those that AWS lists.

    Spot instances cost no more than on demand, unless somebody bids more, which nitro never does.
    Raises InputError for a type that AWS lists no price of.
    """
    if plan.max_cost is None:
        return {}
    regions, types = plan.regions(cloud.region), plan.matrix.types
    found = {
        (region, name): plan.prices[name]
        for region in regions
        for name in types
        if name in plan.prices
    }
    asked = [name for name in types if name not in plan.prices]
    if not asked:
        return found
    if cloud.endpoint_url:
        report.note("max_cost: on the local Nitro, a type without a price costs nothing")
        return found | {(region, name): 0.0 for region in regions for name in asked}
    for region in regions:
        for name, usd in prices.on_demand(cloud.in_region(region), asked).items():
            found[region, name] = usd
    return found
