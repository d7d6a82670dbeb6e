"""What an account holds in the regions of a release, in words that are the same for equal ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto import mock_aws

from nitro.cloud import Cloud, tags
from nitro.local.aws import Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from nitro.publish import access
from tests.cloud.conftest import connect
from tests.cloud.policed import exempt, make_role
from tests.cloud.publish.conftest import REGIONS

# Which attempt made something may differ after a fault.
_OF_ATTEMPTS = (tags.RUN, tags.WRITE)


@contextmanager
def account(folder: Path) -> Iterator[Cloud]:
    """A new account, with the role that VM Import needs, and its administrator."""
    folder.mkdir()
    with install(Site(BlockStore(folder), NullHypervisor())), mock_aws():
        with exempt():
            administrator = connect()
        make_role(administrator)
        yield administrator


def state(administrator: Cloud, regions: tuple[str, ...] = REGIONS) -> dict[str, Any]:
    """Of each region: AMIs, snapshots, parameters, tasks under way, and what lies in buckets."""
    return {region: _region(administrator.in_region(region)) for region in regions}


def _region(cloud: Cloud) -> dict[str, Any]:
    images = cloud.ec2.describe_images(Owners=["self"])["Images"]
    names = {image["ImageId"]: image["Name"] for image in images}
    snapshots = cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    parameters = cloud.ssm.describe_parameters()["Parameters"]
    tasks = cloud.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]
    buckets = [each["Name"] for each in cloud.s3.list_buckets()["Buckets"]]
    mine = [name for name in buckets if name.endswith(cloud.region)]
    return {
        "images": sorted(
            (
                image["Name"],
                image["State"],
                image.get("BootMode"),
                image.get("DeprecationTime", "")[:10],
                image.get("DeregistrationProtection"),
                _tags(image.get("Tags")),
                str(access.of_image(cloud, image["ImageId"])),
            )
            for image in images
        ),
        "snapshots": sorted(
            (
                each["State"],
                each.get("KmsKeyId", ""),
                _tags(each.get("Tags")),
                str(access.of_snapshot(cloud, each["SnapshotId"])),
            )
            for each in snapshots
        ),
        "parameters": {
            each["Name"]: names.get(_value(cloud, each["Name"]), "no AMI") for each in parameters
        },
        "tasks": [t for t in tasks if t["SnapshotTaskDetail"]["Status"] in ("pending", "active")],
        "objects": [
            found["Key"]
            for name in mine
            for found in cloud.s3.list_objects_v2(Bucket=name).get("Contents", [])
        ],
        "uploads": [
            found["Key"]
            for name in mine
            for found in cloud.s3.list_multipart_uploads(Bucket=name).get("Uploads", [])
        ],
    }


def _value(cloud: Cloud, name: str) -> str:
    return cloud.ssm.get_parameter(Name=name)["Parameter"]["Value"]


def _tags(listed: Any) -> str:
    found = tags.from_list(listed)
    return str({k: v for k, v in sorted(found.items()) if k not in _OF_ATTEMPTS})
