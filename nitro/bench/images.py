"""The images of a plan in a region: each recipe with each driver, and the client's, built and
published, and the AMIs that are there already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nitro import recipe as recipes
from nitro.bench.plan import OWN, Ami, Plan, Test, selection
from nitro.bench.schedule import LONGEST_LIFE
from nitro.cloud import ApiError, Cloud, InstanceType, Undo, instance_types, publish
from nitro.cloud.ami import describe
from nitro.cloud.launch import check_image
from nitro.cloud.user_data import compose_script
from nitro.errors import InputError
from nitro.interfaces import ImageBuilder
from nitro.measure import client_recipe, disk_of
from nitro.progress import Reporter
from nitro.recipe import Recipe


@dataclass(frozen=True)
class Image:
    """A published image: its AMI, the digest of its disk, and the most vCPUs to run it with.

    `start` is None for an image of nitro's. For another AMI it is the script that starts its
    servers, and the AMI's id stands for the digest.
    """

    ami: str
    digest: str
    processors: int | None = None
    start: str | None = None


Images = dict[tuple[str, str], Image]  # of a region

#: in place of recipe and driver
CLIENT = ("", "")


def published(
    cloud: Cloud,
    plan: Plan,
    types: Iterable[InstanceType],
    *,
    builder: ImageBuilder,
    undo: Undo,
    bucket: str | None,
    report: Reporter,
) -> Images:
    """Each image by recipe and driver, and the client's under CLIENT.

    Raises InputError for an image that one of the types cannot run, or that lacks a test's port.
    """
    types = list(types)
    found: Images = {
        (name, OWN): _there(cloud, name, one, types) for name, one in plan.amis.items()
    }
    wanted = {CLIENT: client_recipe()}
    for image in plan.recipes:
        recipe = recipes.load(image)
        for test in plan.tests(image):
            _check_ports(recipe, test)
        for driver in plan.matrix.drivers:
            wanted[image, driver] = recipe.model_copy(update={"driver": driver})
    for key, recipe in wanted.items():
        with report.stage("build"):
            prepared = builder.prepare(recipe, report=report)
            for instance_type in types:
                instance_types.requires(
                    instance_type,
                    recipe.architecture,
                    recipe.boot_mode,
                    prepared.minimum_memory_mib,
                )
            built = prepared.build()
        with report.stage("publish"):
            disk = disk_of(recipe, built)
            ami = publish(cloud, disk, undo, bucket=bucket, report=report).ami_id
        found[key] = Image(ami, built.digest, built.processors)
    return found


def _there(cloud: Cloud, name: str, ami: Ami, types: Iterable[InstanceType]) -> Image:
    """The AMI of this region. Raises InputError or RefusedError for one that cannot be used."""
    if cloud.region not in ami.ids:
        raise InputError(f"amis.{name}: ids has none for {cloud.region}", hint="add the AMI's id")
    id_ = ami.ids[cloud.region]
    try:
        described = describe(cloud, id_)
    except ApiError as error:
        if not error.absent:
            raise
        raise InputError(
            f"amis.{name}: {cloud.region} has no {id_}",
            hint="its owner may have to share it with this account",
        ) from None
    for instance_type in types:
        check_image(described, instance_type)
    try:
        compose_script(ami.start, LONGEST_LIFE)
    except InputError as error:
        raise InputError(f"amis.{name}.start: {error.what}", hint=error.hint) from None
    return Image(id_, id_, start=ami.start)


def _check_ports(recipe: Recipe, test: Test) -> None:
    try:
        selection(test, 1).require_ports(recipe.ports, f"the recipe {recipe.name}")
    except InputError as error:
        raise InputError(
            f"{test.protocol}: {error.what}", hint="name the images of that test: images = [...]"
        ) from None
