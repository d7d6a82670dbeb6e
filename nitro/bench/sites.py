"""The regions of a plan: the connection to each, its types, and what a night needs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nitro.bench.images import Images, published
from nitro.bench.plan import Plan
from nitro.cloud import Cloud, InstanceType, Undo, find_instance_type, garbage, preflight
from nitro.errors import InputError
from nitro.interfaces import ImageBuilder
from nitro.progress import Reporter


@dataclass(frozen=True)
class Site:
    """A region. `subnet` and `bucket` are of the user's own, if any are given for it."""

    cloud: Cloud
    types: Mapping[str, InstanceType]  # by name
    subnet: str | None
    bucket: str | None

    def check(self, plan: Plan, instances: int, report: Reporter) -> None:
        """Ask for what so many instances at a time need, before anything is built.

        Raises RefusedError, and InputError for what cannot be placed as the plan says.
        """
        for instance_type in self.types.values():
            if plan.placement and not instance_type.clusters:
                raise InputError(
                    f"{instance_type.name} cannot be in a cluster placement group",
                    hint="choose another type, or leave placement out",
                )
            for note in preflight.check(
                self.cloud,
                instance_type,
                instances=instances,
                subnet_id=self.subnet,
                bucket=self.bucket,
                placement_group=plan.placement_group,
                spot=plan.market == "spot",
            ):
                report.note(note)

    def published(self, plan: Plan, builder: ImageBuilder, undo: Undo, report: Reporter) -> Images:
        """The plan's images in this region, built and published where they are not there."""
        return published(
            self.cloud,
            plan,
            self.types.values(),
            builder=builder,
            undo=undo,
            bucket=self.bucket,
            report=report,
        )


def sites_of(cloud: Cloud, plan: Plan, *, subnet: str | None, bucket: str | None) -> list[Site]:
    """Each region of the plan. Subnet and bucket are of the region that `cloud` is in; elsewhere
    the default VPC and nitro's own bucket are used.

    Raises InputError for a region that the account does not have, for an instance type that is not
    in a region, and for a subnet or a bucket of a region that is not the plan's.
    """
    if cloud.region not in plan.regions(cloud.region) and (subnet or bucket):
        raise InputError(
            f"{subnet or bucket} is of {cloud.region}, in which the plan has no instances",
            hint="choose one of the plan's regions with --region, or leave it out",
        )
    others = {*plan.regions(cloud.region)} - {cloud.region}
    if unknown := others - {*garbage.regions_of(cloud)} if others else None:
        raise InputError(
            f"matrix.regions has {min(unknown)}, which the account does not have",
            hint="such as eu-west-1; some regions have to be enabled in the account first",
        )
    sites = []
    for region in plan.regions(cloud.region):
        there = cloud.in_region(region)
        types = {name: find_instance_type(there, name) for name in plan.matrix.types}
        own = region == cloud.region
        sites.append(Site(there, types, subnet if own else None, bucket if own else None))
    return sites
