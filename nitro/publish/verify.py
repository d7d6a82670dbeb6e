"""Is a release still what its manifest says? Asked of every region, block by block if wished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from nitro.cloud import Cloud, tags
from nitro.cloud.errors import ApiError
from nitro.documents.releases import ReleaseDocument, ReleaseRegionDocument
from nitro.errors import NitroError, RefusedError
from nitro.progress import Reporter, Stage
from nitro.publish import access, parameters, readback
from nitro.publish.access import Access
from nitro.publish.manifest import Manifest
from nitro.publish.release import PROVENANCE
from nitro.publish.settings import Share

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one region: what is not as the manifest says, and how many blocks were compared."""

    region: str
    problems: tuple[str, ...]
    blocks_read: int


def verify(
    cloud: Cloud, manifest: Manifest, report: Reporter, *, sample: int | None
) -> list[Verdict]:
    """The verdict on each region, in the manifest's order. Changes nothing.

    `sample` blocks of each snapshot are read back and compared, None: all of them. Raises
    RefusedError when the account is another one, or may not be asked.
    """
    account = manifest.document["account"]
    if cloud.account != account:
        raise RefusedError(
            f"{manifest.name} was published in the account {account}, this is {cloud.account}",
            hint="use the profile of that account",
        )
    regions = manifest.document["regions"]
    with report.stage("verify") as stage, ThreadPoolExecutor(len(regions)) as pool:
        return list(
            pool.map(
                lambda one: _verify_region(
                    replace(cloud, region=one["region"]), manifest, one, stage, sample
                ),
                regions,
            )
        )


def _verify_region(
    cloud: Cloud,
    manifest: Manifest,
    made: ReleaseRegionDocument,
    stage: Stage,
    sample: int | None,
) -> Verdict:
    problems: list[str] = []
    blocks_read = 0
    try:
        problems += _image_problems(cloud, manifest.document, made)
        problems += _snapshot_problems(cloud, manifest.document, made)
        problems += _parameter_problems(cloud, manifest.document, made)
        blocks_read = readback.compare(
            cloud, made["snapshot"], manifest.blocks, stage, sample=sample
        )
    except RefusedError:
        raise
    except NitroError as error:
        problems.append(error.what)
    return Verdict(made["region"], tuple(problems), blocks_read)


def _image_problems(
    cloud: Cloud, document: ReleaseDocument, made: ReleaseRegionDocument
) -> Iterator[str]:
    images = _listed(lambda: cloud.ec2.describe_images(ImageIds=[made["ami"]])["Images"])
    if not images:
        yield f"the AMI {made['ami']} is gone"
        return
    image = images[0]
    for what, found, wanted in (
        ("state", image["State"], "available"),
        ("name", image.get("Name"), document["name"]),
        ("architecture", image.get("Architecture"), document["architecture"]),
        ("boot mode", image.get("BootMode"), document["boot_mode"]),
    ):
        if found != wanted:
            yield f"the AMI's {what} is {found}, not {wanted}"
    if datetime.fromisoformat(image["CreationDate"]) != datetime.fromisoformat(made["created"]):
        yield f"the AMI was made at {image['CreationDate']}, not {made['created']}"
    yield from _tag_problems("AMI", document, tags.from_list(image.get("Tags")))
    wanted_access = access.wanted(Share.model_validate(document["share"]))
    yield from _access_problems("AMI", access.of_image(cloud, made["ami"]), wanted_access)


def _snapshot_problems(
    cloud: Cloud, document: ReleaseDocument, made: ReleaseRegionDocument
) -> Iterator[str]:
    found = _listed(
        lambda: cloud.ec2.describe_snapshots(SnapshotIds=[made["snapshot"]])["Snapshots"]
    )
    if not found:
        yield f"the snapshot {made['snapshot']} is gone"
        return
    yield from _tag_problems("snapshot", document, tags.from_list(found[0].get("Tags")))
    wanted = access.wanted(Share.model_validate(document["share"])).of_snapshot
    yield from _access_problems("snapshot", access.of_snapshot(cloud, made["snapshot"]), wanted)


def _parameter_problems(
    cloud: Cloud, document: ReleaseDocument, made: ReleaseRegionDocument
) -> Iterator[str]:
    if name := document["parameter"]:
        value = parameters.read(cloud, name)
        if value != made["ami"]:
            yield f"the parameter {name} names {value or 'nothing'}"


def _tag_problems(what: str, document: ReleaseDocument, found: tags.Tags) -> Iterator[str]:
    for key, value in document["tags"].items():
        if found.get(key) != value and key not in PROVENANCE:
            yield f"the {what}'s tag {key} is {found.get(key, 'missing')}, not {value}"


def _access_problems(what: str, found: Access, wanted: Access) -> Iterator[str]:
    if missing := wanted.without(found):
        yield f"the {what} is not shared with {missing}"
    if more := found.without(wanted):
        yield f"the {what} is also shared with {more}"


def _listed(ask: Callable[[], list[_T]]) -> list[_T]:
    """What was asked for by its id; empty when there is no such thing."""
    try:
        return ask()
    except ApiError as error:
        if error.absent:
            return []
        raise
