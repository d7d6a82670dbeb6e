"""Parameters flipped back to an earlier release, in all regions or in none."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from nitro.cloud import Cloud
from nitro.errors import InputError, RefusedError
from nitro.progress import Reporter
from nitro.publish import parameters
from nitro.publish.manifest import Manifest
from nitro.publish.observe import find_ami


@dataclass(frozen=True, slots=True)
class Target:
    """The release to go back to: the name of its AMIs, which are found by it in each region."""

    name: str
    parameter: str
    regions: Sequence[str]


def of_manifest(manifest: Manifest) -> Target:
    """Raises InputError for a release that no parameter names."""
    document = manifest.document
    if document["parameter"] is None:
        raise InputError(f"{manifest.name} was published without a parameter")
    regions = [each["region"] for each in document["regions"]]
    return Target(manifest.name, document["parameter"], regions)


def roll_back(cloud: Cloud, target: Target, report: Reporter) -> list[parameters.Flip]:
    """Flip the parameters that do not name the release yet; returns those that were flipped.

    Raises RefusedError, before anything is changed, when a region lacks the release or the
    parameter, NitroError when one cannot be flipped and the others have been put back.
    """
    with report.stage("look") as stage, ThreadPoolExecutor(len(target.regions)) as pool:
        stage.status(f"asking {len(target.regions)} regions")
        looked = list(
            pool.map(lambda region: _look(replace(cloud, region=region), target), target.regions)
        )
    if missing := [flip.cloud.region for flip in looked if not flip.after]:
        raise RefusedError(
            f"there is no AMI {target.name} of ours in {', '.join(missing)}",
            hint="nothing was changed; choose a release that all regions still have",
        )
    flips = [flip for flip in looked if flip.before != flip.after]
    if flips:
        parameters.flip_all(flips, report)
    return flips


def _look(cloud: Cloud, target: Target) -> parameters.Flip:
    """`after` is "" where the release is missing or not available."""
    image = find_ami(cloud, target.name)
    usable = image is not None and image.state == "available"
    before = parameters.read(cloud, target.parameter)
    return parameters.Flip(cloud, target.parameter, before, image.id if image and usable else "")
