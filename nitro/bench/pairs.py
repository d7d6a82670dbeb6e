"""The pairs of a region: a server for each machine, and clients that measure it, one after another.

A server is launched when it is first needed and ends with its group of machines. What dies is
replaced; where a zone has no room for the client, the pair moves to another one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from nitro.bench.budget import BudgetSpent
from nitro.bench.images import CLIENT, Images
from nitro.bench.plan import Machine, Plan
from nitro.bench.work import Work
from nitro.cloud import (
    ApiError,
    Cloud,
    Instance,
    InstanceType,
    Placement,
    Undo,
    instance,
    launch,
    placement_groups,
)
from nitro.cloud.errors import ignoring
from nitro.cloud.instance_types import processors
from nitro.cloud.launch import NO_CAPACITY
from nitro.cloud.network import Subnet
from nitro.cloud.tags import deployment_tags, expiry
from nitro.cloud.teardown import Entry
from nitro.errors import Interrupted, NitroError
from nitro.interfaces import Prober
from nitro.measure import Measurement, run_probes
from nitro.probe import Result, Selection
from nitro.progress import Reporter

_ATTEMPTS = 2  # at a repetition of a machine
_TAKEN = 20  # more, where the spot market took an instance


@dataclass
class Pairs:
    """`subnets` are those that an instance type may be launched in, by its name, the best first.

    `launched` are the machines of a group that had a server, also where it has ended since.
    """

    cloud: Cloud
    plan: Plan
    images: Images
    types: Mapping[str, InstanceType]
    subnets: Mapping[str, Sequence[Subnet]]
    placement: Placement
    prober: Prober
    bucket: str | None = None
    servers: dict[Machine, Measurement] = field(default_factory=dict)
    launched: set[Machine] = field(default_factory=set)
    _undo: Undo = field(default_factory=Undo)  # of a group
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _clusters: dict[Machine, Entry] = field(default_factory=dict)  # their placement groups
    _full: dict[Machine, set[str]] = field(default_factory=dict)
    _taken: dict[Machine, set[str]] = field(default_factory=dict)

    @contextmanager
    def group(self, undo: Undo) -> Iterator[None]:
        """The servers that the block launches end with it, or with `undo` where that fails."""
        self._undo, self.servers, self.launched = undo, {}, set()
        self._clusters, self._full = {}, {}
        yield
        self._end(*self.servers)  # each takes a minute to end: side by side

    def measure(
        self,
        machine: Machine,
        work: Work,
        report: Reporter,
        is_spent: Callable[[], bool],
    ) -> tuple[Measurement, list[Result]] | None:
        """Launch a client beside the machine's server and run the probes of what is left to do.

        `work` is told of each run that ends well as the client reports it. Returns the results of
        the client that got through, None where all was told before the last one died.

        Threads may measure different machines at a time, each with a `report` of its own.
        Raises NitroError for the last reason when the pair died, and the one in its place as well.
        What the spot market takes is no such attempt. Raises BudgetSpent when the budget `is_spent`
        before an attempt, be it the first or a later one.
        """
        attempts = taken = 0
        while work.left:
            if is_spent():
                raise BudgetSpent("the plan's max_hours or max_cost is used up")
            try:
                selection = work.begin()
                measurement = replace(self._server(machine, report), selection=selection)
                results = run_probes(
                    *(self.cloud, measurement, self.prober, self._undo, report),
                    partial(work.take, measurement),
                )
                self._check_alive(measurement, results)
            except Interrupted:
                raise
            except NitroError as error:
                report.note(f"{machine.instance_type} {machine.driver}: {error}")
                if self._has_no_room(machine, error):
                    continue
                self._end(machine)  # whatever it is, the next one is a new one
                if self.placement.spot and taken < _TAKEN and self._market_took(machine):
                    taken += 1
                    continue
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise
            else:
                return measurement, results
        return None

    def _server(self, machine: Machine, report: Reporter) -> Measurement:
        """The server of a machine, launched when it is first needed, or when the last one died."""
        if machine in self.servers:
            return self.servers[machine]
        image = self.images[machine.image, machine.driver]
        instance_type = self.types[machine.instance_type]
        full = self._full.get(machine, set())
        subnet, *others = (s for s in self.subnets[machine.instance_type] if s.id not in full)
        placement = replace(self.placement, subnet=subnet, others=tuple(others))
        number = next(self._numbers)
        if self.plan.placement:  # one that is empty, for it is of one zone
            name = self._new_cluster(machine, number, report)
            placement = replace(placement, placement_group=name)
        server = self._launch(machine, placement, number, report)
        found = Measurement(
            server,
            instance_type,
            placement.beside(server),
            Selection(),
            "instance",
            client_ami=self.images[CLIENT].ami,
            bucket=self.bucket,
            watched=image.start is None,
        )
        self.servers[machine] = found
        return found

    def _launch(
        self, machine: Machine, placement: Placement, number: int, report: Reporter
    ) -> Instance:
        image = self.images[machine.image, machine.driver]
        instance_type = self.types[machine.instance_type]
        is_first = machine not in self.launched
        self.launched.add(machine)  # a start that fails may have had effect
        try:
            return launch(
                self.cloud,
                image.ami,
                instance_type,
                placement,
                self._undo,
                name=f"nitro-{self.plan.name}",
                role=f"server-{number}",  # the token of a start is made from it
                processors=processors(instance_type, None, image.processors, report),
                script=image.start,
                report=report,
            )
        except ApiError as error:
            if is_first and error.code == NO_CAPACITY:
                self.launched.discard(machine)
            raise

    def _new_cluster(self, machine: Machine, number: int, report: Reporter) -> str:
        """Make a placement group for a machine's next pair, in place of its last one's.

        AWS allows 500 in a region, and removes one only after its last instance has ended.
        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-placement-group.html
        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/delete-placement-group.html
        """
        if last := self._clusters.pop(machine, None):
            try:
                self._undo.remove(last)
            except Interrupted:
                raise
            except NitroError as error:  # the end of the group of machines tries again
                report.note(f"could not remove {last.what}: {error}")
        deployment, ttl = self.placement.deployment, self.placement.ttl
        name = f"nitro-{deployment}-{number}"
        expires = expiry(ttl) if ttl else None
        tag_map = deployment_tags(name, deployment, "placement", expires, {})
        self._clusters[machine] = placement_groups.create(self.cloud, name, tag_map, self._undo)
        return name

    def _check_alive(self, measurement: Measurement, results: Sequence[Result]) -> None:
        """Raises NitroError where runs failed because their server had ended."""
        if all(result.error is None for result in results):
            return
        server = instance.get(self.cloud, measurement.server.id)
        if server.state not in {"pending", "running"}:
            raise NitroError(f"{server.id} is {server.state}{server.because}")

    def _has_no_room(self, machine: Machine, error: NitroError) -> bool:
        """Whether the server's zone had no room for the client, and another zone is left.

        The server has ended then, and the next one goes elsewhere.
        """
        server = self.servers.get(machine)
        if not isinstance(error, ApiError) or error.code != NO_CAPACITY:
            return False
        if not server:
            self._full.pop(machine, None)  # at the next attempt there may be room again
            return False
        full = self._full.setdefault(machine, set())
        full.add(server.placement.subnet.id)
        if all(subnet.id in full for subnet in self.subnets[machine.instance_type]):
            full.clear()
            return False
        self._end(machine)
        return True

    def _market_took(self, machine: Machine) -> bool:
        """Whether the market has taken an instance back since this was last asked for a machine.

        It may be another machine's: then there is an attempt more.
        """
        known = self._taken.setdefault(machine, set())
        new = instance.taken(self.cloud, self.placement.deployment) - known
        known |= new
        return bool(new)

    def _end(self, *machines: Machine) -> None:
        """Begin to end servers; `undo` waits for their end."""
        ids = [self.servers.pop(one).server.id for one in machines if one in self.servers]
        if ids:
            with ignoring("absent"):
                self.cloud.ec2.terminate_instances(InstanceIds=ids)
