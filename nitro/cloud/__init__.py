"""From a raw disk to a running instance, on AWS or on anything that answers like it.

    session.py         the connection
    retries.py         the one place where calls are repeated and bodies are read
    errors.py          what a failed call means
    wait.py            the one poller
    tags.py            what makes a resource ours; limits.py: what AWS takes of texts and tags
    teardown.py        taking back what was made, in reverse order
    dryrun.py          the same calls, held back and listed; dryrun_answers.py: their answers

    disk.py            what goes in, what comes out
    publish.py         disk → snapshot → AMI, by
    via_s3.py          disk → S3 → snapshot: storage.py  upload.py  importer.py
    direct.py          disk → snapshot without S3:
    parent.py  block_writer.py  in_flight.py  put_block.py
    snapshot.py  verify.py  blocks.py  ami.py
    instance_types.py  what a type can run
    launch.py          AMI → instance, in
    network.py         a subnet and a security group; user_data.py: what the guest is told
    instance.py        asked after, listened to, ended
    results.py         what the guest sends back, through S3

    inventory.py       everything that is ours, and its removal
    cost.py            what stays behind costs; prices.py: what an hour of an instance costs
    preflight.py       what a deployment needs of the account, asked first
    doctor.py          will it work? and what to change; role.py: the role of VM Import

boto3 only. Not here: how a disk is made, what is measured, who is asking; releases to many
regions, with copies, sharing and encryption, are `nitro.publish`.

    with Undo(keep=Keep.IMAGE) as undo:
        published = publish(cloud, disk, undo)
        ports = [Port.parse("80"), Port.parse("udp:53")]
        placement = create_placement(cloud, undo, deployment=new_deployment(), ports=ports)
        server = launch(cloud, published.ami_id, instance_type, placement, undo, name="web")
"""

from nitro.cloud.direct import Written, write_snapshot
from nitro.cloud.disk import DiskImage, Published
from nitro.cloud.dryrun import Call, CallPlan
from nitro.cloud.errors import ApiError, ApiRefused
from nitro.cloud.instance import (
    Instance,
    NeverReady,
    console_output,
    terminate,
    wait_console,
)
from nitro.cloud.instance_types import InstanceType, check, find_instance_type
from nitro.cloud.inventory import Resource, destroy, expired, inventory
from nitro.cloud.launch import Placement, create_placement, launch
from nitro.cloud.publish import Via, publish
from nitro.cloud.session import Cloud
from nitro.cloud.tags import new_deployment
from nitro.cloud.teardown import CleanUpError, Keep, Undo

__all__ = [
    "ApiError",
    "ApiRefused",
    "Call",
    "CallPlan",
    "CleanUpError",
    "Cloud",
    "DiskImage",
    "Instance",
    "InstanceType",
    "Keep",
    "NeverReady",
    "Placement",
    "Published",
    "Resource",
    "Undo",
    "Via",
    "Written",
    "check",
    "console_output",
    "create_placement",
    "destroy",
    "expired",
    "find_instance_type",
    "inventory",
    "launch",
    "new_deployment",
    "publish",
    "terminate",
    "wait_console",
    "write_snapshot",
]
