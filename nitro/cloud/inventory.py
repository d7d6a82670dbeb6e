"""Everything of ours in a region, found by its tags, and its removal in the right order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from nitro.cloud import (
    ami,
    importer,
    instance,
    network,
    placement_groups,
    snapshot,
    storage,
    tags,
)
from nitro.cloud.errors import ApiError, ignoring
from nitro.cloud.session import Cloud
from nitro.errors import InputError, NitroError
from nitro.ports import Port
from nitro.progress import Reporter

# In the order of removal: nothing comes before what it needs.
KINDS = (
    "import-task",
    "instance",
    "network-interface",
    "volume",
    "security-group",
    "placement-group",
    "image",
    "snapshot",
    "upload",
    "object",
    "bucket",
)


@dataclass(frozen=True)
class Resource:
    """One thing of ours. `id` is EC2's; of a placement group its name, of an object `bucket/key`,
    of an upload `bucket/key#id`."""

    kind: str  # one of KINDS
    id: str
    name: str = ""
    state: str = ""
    created: datetime | None = None
    size_bytes: int = 0
    tags: tags.Tags = field(default_factory=dict)
    protected: bool = False  # of an image: from being deregistered
    type: str = ""  # of an instance, and its address: the public one where it has one
    address: str = ""

    @property
    def ports(self) -> tuple[Port, ...]:
        """Those of an instance's recipe; none where its tag cannot be read."""
        if self.kind == "instance":
            with suppress(InputError):
                return tags.ports_from(self.tags)
        return ()

    @property
    def deployment(self) -> str:
        return self.tags.get(tags.DEPLOYMENT, "")

    @property
    def digest(self) -> str:
        return self.tags.get(tags.DIGEST, "")

    @property
    def expires(self) -> datetime | None:
        """When its time to live ends; None: it has none, or not one that can be read."""
        try:
            return datetime.fromisoformat(self.tags.get(tags.EXPIRES, ""))
        except ValueError:
            return None


def inventory(cloud: Cloud, bucket: str | None = None) -> list[Resource]:
    """All resources of ours, in the order of their removal.

    `bucket` is the user's own one, when there is one; what lies in it under our prefixes
    counts only with our tags.
    """
    found = [
        *_import_tasks(cloud),
        *_instances(cloud),
        *_network_interfaces(cloud),
        *_volumes(cloud),
        *_security_groups(cloud),
        *_placement_groups(cloud),
        *_images(cloud),
        *_snapshots(cloud),
        *_in_bucket(cloud, bucket),
    ]
    return sorted(found, key=lambda resource: KINDS.index(resource.kind))


def expired(resources: Iterable[Resource], now: datetime | None = None) -> list[Resource]:
    """Those whose time to live is over."""
    now = now or datetime.now(UTC)
    return [r for r in resources if r.expires is not None and r.expires <= now]


def destroy(
    cloud: Cloud, resources: Iterable[Resource], report: Reporter | None = None
) -> list[Resource]:
    """Remove resources that `inventory` found, whatever order they come in; returns what is gone.

    Raises NitroError, naming what could not be removed.
    """
    gone, left = remove(cloud, resources, report or Reporter())
    if left:
        raise NitroError(
            f"could not remove {', '.join(left)}", hint="`nitro ls` shows what is left"
        )
    return gone


def remove(
    cloud: Cloud, resources: Iterable[Resource], report: Reporter
) -> tuple[list[Resource], list[str]]:
    """As `destroy`; goes on after a failure. Returns what is gone, and the ids of what is not."""
    deletion_order = sorted(resources, key=lambda resource: KINDS.index(resource.kind))
    gone: list[Resource] = []
    problems: list[str] = []
    with report.stage("destroy") as stage:
        for resource in deletion_order:
            if resource.kind == "instance":  # each takes a minute: let them end side by side
                with suppress(NitroError):  # it is told again, and heard, when its turn comes
                    cloud.ec2.terminate_instances(InstanceIds=[resource.id])
        for number, resource in enumerate(deletion_order):
            stage.progress(number, len(deletion_order), "resources")
            try:
                with ignoring("absent"):
                    _REMOVERS[resource.kind](cloud, resource)
                gone.append(resource)
            except NitroError as error:
                report.note(f"could not remove {resource.kind} {resource.id}: {error}")
                problems.append(resource.id)
    return gone, problems


def _resource(
    kind: str,
    id_: str,
    tag_list: Iterable[Mapping[str, object]] | None,
    *,
    state: str = "",
    created: datetime | None = None,
    size_bytes: int = 0,
) -> Resource:
    tag_map = tags.from_list(tag_list)
    return Resource(kind, id_, tag_map.get("Name", ""), state, created, size_bytes, tag_map)


def _import_tasks(cloud: Cloud) -> Iterator[Resource]:
    """Tasks under way. A finished one is history, but for a snapshot that nobody claimed."""
    for task in importer.tasks(cloud):
        name = task.tags.get("Name", "")
        unclaimed = _made_unclaimed(cloud, task.snapshot_id) if task.has_snapshot else None
        if task.running or unclaimed:
            yield Resource("import-task", task.id, name, task.status, unclaimed, tags=task.tags)


def _made_unclaimed(cloud: Cloud, snapshot_id: str) -> datetime | None:
    """When a snapshot was made that has no tags; None when it has some, or is not there."""
    try:
        found = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    except ApiError as error:
        if error.absent:
            return None
        raise
    return next((raw["StartTime"] for raw in found if not raw.get("Tags")), None)


def _instances(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=tags.by())
    reservations = (held for page in pages for held in page["Reservations"])
    for raw in (raw for held in reservations for raw in held["Instances"]):
        state = raw["State"]["Name"]
        if state != "terminated":  # listed for an hour, and gone
            found = _resource(
                "instance",
                raw["InstanceId"],
                raw.get("Tags"),
                state=state,
                created=raw.get("LaunchTime"),
            )
            address = raw.get("PublicIpAddress") or raw.get("PrivateIpAddress", "")
            yield replace(found, type=raw.get("InstanceType", ""), address=address)


def _network_interfaces(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_network_interfaces").paginate(Filters=tags.by())
    for raw in (raw for page in pages for raw in page["NetworkInterfaces"]):
        if not raw.get("Attachment"):  # else it goes with its instance
            yield _resource(
                "network-interface",
                raw["NetworkInterfaceId"],
                raw.get("TagSet"),
                state=raw.get("Status", ""),
            )


def _volumes(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_volumes").paginate(Filters=tags.by())
    for raw in (raw for page in pages for raw in page["Volumes"]):
        if not raw.get("Attachments"):  # else it goes with its instance
            yield _resource(
                "volume",
                raw["VolumeId"],
                raw.get("Tags"),
                state=raw["State"],
                created=raw.get("CreateTime"),
                size_bytes=raw["Size"] * 1024**3,
            )


def _security_groups(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_security_groups").paginate(Filters=tags.by())
    for raw in (raw for page in pages for raw in page["SecurityGroups"]):
        yield _resource("security-group", raw["GroupId"], raw.get("Tags"))


def _placement_groups(cloud: Cloud) -> Iterator[Resource]:
    for raw in placement_groups.ours(cloud):
        yield _resource(
            "placement-group", raw["GroupName"], raw.get("Tags"), state=raw.get("State", "")
        )


def _images(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=tags.by())
    for raw in (raw for page in pages for raw in page["Images"]):
        created = raw.get("CreationDate")
        found = _resource(
            "image",
            raw["ImageId"],
            raw.get("Tags"),
            state=raw["State"],
            created=datetime.fromisoformat(created) if created else None,
        )
        yield replace(
            found, protected=raw.get("DeregistrationProtection", "disabled") != "disabled"
        )


def _snapshots(cloud: Cloud) -> Iterator[Resource]:
    pages = cloud.ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], Filters=tags.by()
    )
    for raw in (raw for page in pages for raw in page["Snapshots"]):
        yield _resource(
            "snapshot",
            raw["SnapshotId"],
            raw.get("Tags"),
            state=raw["State"],
            created=raw.get("StartTime"),
            size_bytes=raw.get("FullSnapshotSizeInBytes") or raw["VolumeSize"] * 1024**3,
        )


def _in_bucket(cloud: Cloud, name: str | None) -> Iterator[Resource]:
    bucket = storage.find_bucket(cloud, name)
    if bucket is None:
        return
    for prefix in (storage.IMAGES, storage.RESULTS):
        listed = cloud.s3.get_paginator("list_objects_v2").paginate(**bucket.address, Prefix=prefix)
        for raw in (raw for page in listed for raw in page.get("Contents", [])):
            if name is None or storage.is_ours(cloud, bucket, raw["Key"]):
                yield Resource(
                    "object",
                    f"{bucket.name}/{raw['Key']}",
                    created=raw["LastModified"],
                    size_bytes=raw["Size"],
                )
    begun = cloud.s3.get_paginator("list_multipart_uploads").paginate(
        **bucket.address, Prefix=storage.IMAGES
    )
    for upload in (upload for page in begun for upload in page.get("Uploads", [])):
        id_ = f"{bucket.name}/{upload['Key']}#{upload['UploadId']}"
        yield Resource("upload", id_, state="incomplete", created=upload.get("Initiated"))
    if name is None:
        yield Resource("bucket", bucket.name, bucket.name)


def _bucket(cloud: Cloud, resource: Resource) -> tuple[storage.Bucket, str]:
    name, _, key = resource.id.partition("/")
    return storage.Bucket(name, cloud.account), key


def _remove_upload(cloud: Cloud, resource: Resource) -> None:
    bucket, rest = _bucket(cloud, resource)
    key, _, upload = rest.partition("#")
    storage.abort(cloud, bucket, key, upload)


def _remove_object(cloud: Cloud, resource: Resource) -> None:
    bucket, key = _bucket(cloud, resource)
    storage.remove_object(cloud, bucket, key)


_REMOVERS: dict[str, Callable[[Cloud, Resource], object]] = {
    "import-task": lambda cloud, r: importer.remove_task(cloud, r.id),
    "instance": lambda cloud, r: instance.terminate(cloud, [r.id]),
    "network-interface": lambda cloud, r: cloud.ec2.delete_network_interface(
        NetworkInterfaceId=r.id
    ),
    "volume": lambda cloud, r: cloud.ec2.delete_volume(VolumeId=r.id),
    "security-group": lambda cloud, r: network.remove_group(cloud, r.id),
    "placement-group": lambda cloud, r: placement_groups.remove(cloud, r.id),
    "image": lambda cloud, r: ami.deregister(cloud, r.id),
    "snapshot": lambda cloud, r: snapshot.remove(cloud, r.id),
    "upload": _remove_upload,
    "object": _remove_object,
    "bucket": lambda cloud, r: storage.remove_bucket(cloud, _bucket(cloud, r)[0]),
}
