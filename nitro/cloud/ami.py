"""Images: found by name, id or parameter, registered on a snapshot, removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from nitro.cloud import tags, wait
from nitro.cloud.disk import DiskImage, Volume
from nitro.cloud.errors import ApiError, ignoring, missing
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.cloud.visibility import VISIBLE_AFTER
from nitro.errors import InputError, NitroError, RefusedError
from nitro.progress import Stage

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import ArchitectureValuesType, BootModeValuesType
    from mypy_boto3_ec2.type_defs import ImageTypeDef

DEADLINE = 900.0  # seconds
NAME_TAKEN = "InvalidAMIName.Duplicate"
PARAMETER = "resolve:ssm:"  # of an ImageId of RunInstances that names an SSM parameter
_ID = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")
_FAILED = frozenset({"failed", "invalid", "error", "deregistered"})


def find(cloud: Cloud, disk: DiskImage) -> ImageTypeDef | None:
    """The image of this disk that an earlier run registered.

    Raises RefusedError when the name is taken by an image that is not it.
    """
    name = tags.ami_name(disk.name, disk.digest, disk.boot_mode)
    return _of_disk(_own(cloud, name), disk, name)


def describe(cloud: Cloud, ami_id: str) -> ImageTypeDef:
    """EC2's description of an image. Raises ApiError when there is none."""
    images = cloud.ec2.describe_images(ImageIds=[ami_id])["Images"]
    if not images:
        raise missing(f"AMI {ami_id} in {cloud.region}")
    return images[0]


def resolve(cloud: Cloud, text: str) -> ImageTypeDef:
    """The image of an id, or of `resolve:ssm:NAME`, with a version or a label, as RunInstances has
    it:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html

    Raises InputError for what is neither, or names no image that this account sees in the region.
    """
    ami_id = _of_parameter(cloud, text.removeprefix(PARAMETER)) if _is_parameter(text) else text
    if not _ID.fullmatch(ami_id):
        held = f"{text} holds {ami_id[:60]!r}, which" if ami_id != text else text
        raise InputError(f"{held} is no AMI's id", hint="such as ami-0123456789abcdef0")
    try:
        return describe(cloud, ami_id)
    except ApiError as error:
        if not error.absent:
            raise
        raise InputError(
            f"there is no AMI {ami_id} in {cloud.region} that this account may use",
            hint="an AMI is in one region: name that with --region",
        ) from None


def _is_parameter(text: str) -> bool:
    return text.startswith(PARAMETER)


def _of_parameter(cloud: Cloud, name: str) -> str:
    if not name:
        raise InputError(f"{PARAMETER} names no parameter", hint=f"such as {PARAMETER}/images/web")
    try:
        parameter = cloud.ssm.get_parameter(Name=name)["Parameter"]
    except ApiError as error:
        if not error.absent:
            raise
        raise InputError(
            f"there is no SSM parameter {name} in {cloud.region}",
            hint="check the name, the version or label after it, and --region",
        ) from None
    if parameter["Type"] != "String":
        raise InputError(
            f"the SSM parameter {name} is a {parameter['Type']}, which names no AMI",
            hint="a parameter of type String does",
        )
    return parameter["Value"]


def snapshot_of(image: ImageTypeDef) -> str:
    """The id of the snapshot under an image's root device, "" when there is none."""
    for mapping in image.get("BlockDeviceMappings", []):
        if mapping.get("DeviceName") == image.get("RootDeviceName"):
            return mapping.get("Ebs", {}).get("SnapshotId", "")
    return ""


def name_of(disk: DiskImage, run: tags.Run) -> str:
    """What this run calls the image: an ephemeral run has a name of its own."""
    name = tags.ami_name(disk.name, disk.digest, disk.boot_mode)
    return f"{name}-{run.id}" if run.ephemeral else name


def register(
    cloud: Cloud, disk: DiskImage, volumes: Sequence[Volume], run: tags.Run, undo: Undo
) -> str:
    """Register an image whose first volume is its root; returns its id, not available yet.

    When another run was quicker, its image is returned, and is not this run's to remove.
    """
    name = name_of(disk, run)
    tag_map = tags.image_tags(disk.name, disk.digest, disk.tags) | run.tags
    tag_map[tags.MEMORY] = str(disk.minimum_memory_mib)
    if disk.processors:
        tag_map[tags.PROCESSORS] = str(disk.processors)
    if disk.ports:
        tag_map |= tags.ports_tag(disk.ports)

    def attempt() -> str | None:
        try:
            return request(cloud, name, disk, volumes, tag_map)
        except ApiError as error:
            if error.code != NAME_TAKEN:
                raise
        # By another run, or by an attempt of this one whose answer was lost.
        image = _of_disk(_own(cloud, name), disk, name)
        if image is None:
            return None  # not visible yet, or removed meanwhile
        entry.done = tags.from_list(image.get("Tags")).get(tags.RUN) != run.id
        return image["ImageId"]

    with undo.making(
        f"AMI {name}",
        Lifetime.IMAGE,
        find=lambda: [i["ImageId"] for i in _own(cloud, name) if _is_of(i, run)],
        remove=lambda id_: deregister(cloud, id_),
    ) as entry:
        entry.id = ami_id = wait.until(cloud, attempt, what=f"AMI {name}", deadline=VISIBLE_AFTER)
    return ami_id


def request(
    cloud: Cloud, name: str, disk: DiskImage, volumes: Sequence[Volume], tag_map: tags.Tags
) -> str:
    """The one call of RegisterImage, which has no token: a name is taken once in a region.

    Raises ApiError with the code NAME_TAKEN when there is an image of this name.
    """
    return cloud.ec2.register_image(
        Name=name,
        Description=disk.description or f"{disk.name}, made by nitro",
        Architecture=cast("ArchitectureValuesType", disk.architecture),
        BootMode=cast("BootModeValuesType", disk.boot_mode),
        VirtualizationType="hvm",
        EnaSupport=True,
        ImdsSupport="v2.0",
        RootDeviceName=volumes[0].device_name,
        BlockDeviceMappings=[volume.mapping() for volume in volumes],
        TagSpecifications=tags.as_specification(["image"], tag_map),
    )["ImageId"]


def wait_available(
    cloud: Cloud, ami_id: str, stage: Stage, deadline: float = DEADLINE, *, new: bool = True
) -> None:
    """Raises NitroError when the image fails or the deadline (seconds) passes."""

    def look() -> bool | None:
        image = describe(cloud, ami_id)
        if image["State"] in _FAILED:
            reason = image.get("StateReason", {}).get("Message", "no reason given")
            raise NitroError(f"the AMI {ami_id} became {image['State']}: {reason}")
        return image["State"] == "available" or None

    wait.until(cloud, look, what=f"AMI {ami_id}", deadline=deadline, stage=stage, new=new)


def deregister(cloud: Cloud, ami_id: str) -> None:
    with ignoring("absent"):
        cloud.ec2.deregister_image(ImageId=ami_id)


def _of_disk(images: Sequence[ImageTypeDef], disk: DiskImage, name: str) -> ImageTypeDef | None:
    if not images:
        return None
    image = images[0]
    tag_map = tags.from_list(image.get("Tags"))
    if tags.ours(tag_map) and tag_map.get(tags.DIGEST) == disk.digest:
        if image["Architecture"] != disk.architecture:
            raise RefusedError(
                f"the AMI {image['ImageId']} has this disk, but for {image['Architecture']}",
                hint=f"`nitro destroy {image['ImageId']}` removes it",
            )
        return image
    raise RefusedError(
        f"the AMI name {name} is taken by {image['ImageId']}, which is not this disk",
        hint="rename the recipe, or deregister that image",
    )


def _own(cloud: Cloud, name: str) -> list[ImageTypeDef]:
    answer = cloud.ec2.describe_images(
        Owners=["self"], Filters=[{"Name": "name", "Values": [name]}]
    )
    return answer["Images"]


def _is_of(image: ImageTypeDef, run: tags.Run) -> bool:
    tag_map = tags.from_list(image.get("Tags"))
    return tags.ours(tag_map) and tag_map.get(tags.RUN) == run.id
