"""What moto lacks, so that what it holds is true: one module for each gap.

    site.py       what this account stands on: block store, hypervisor, pace, public addresses
    vmimport.py   the role that ImportSnapshot assumes
    imports.py    ImportSnapshot and its tasks
    image_imports.py  ImportImage and its tasks
    snapshots.py  snapshots with real bytes, refused deletion while an image needs them
    images.py     RegisterImage that keeps what it is told
    instances.py  RunInstances that boots something; states that take time; console output
    interfaces.py the names of network interfaces' addresses
    placement_groups.py  placement groups, as data
    absent.py     kinds of resources that there are none of
    private_addresses.py  those that are asked for
    described.py  what EC2 tells of every instance
    tagging.py    tags of all that there is
    status.py     states of volumes, credits, passwords
    quotas.py, service_quotas.py  what an account may have at a time, enforced and told
    states.py     what those states are, and what EC2 says about them
    rules.py      rules of security groups that change in place
    addresses.py, profiles.py  elastic addresses and instance profiles of instances
    volume_changes.py, volume_types.py  ModifyVolume, and what volumes can be
    volumes.py    volumes on their own and on instances, and their snapshots
    instance_attributes.py  what can be changed of an instance
    instance_images.py  CreateImage
    launch.py     which images and types fit together; from a moto instance to a `Guest`
    copies.py     CopySnapshot and CopyImage between regions
    encryption.py which key a snapshot is encrypted with
    regions.py    all regions, each with a default network of its own
    ebs.py        EBS direct reads and writes of the same bytes
    attributes.py who may use a snapshot or an image
    image_life.py deprecation, disabling, protection from deregistration
    launch_templates.py, parameters.py  what else names an image
    s3.py, checksums.py  S3's checksums, regions, owners and dates
    s3_buckets.py, s3_conditions.py  what a new bucket has; conditional writes
    s3_uploads.py, s3_expiry.py  uploads in parts; what a lifecycle has removed
    services.py   SSM, KMS, Auto Scaling, IAM, STS, Service Quotas: moto's, held to their models
    archive.py, s3_archive.py, …_archive.py, kept.py  what outlives the process
    api/          what EC2 does with every request: names, filters, pages, tokens, envelope

botocore's model is the contract: parameters arrive parsed by it, results leave serialised by it.
What is not here is refused, not faked.

    with install(Site(BlockStore(folder), NullHypervisor())), mock_aws():
        boto3.client("ec2").import_snapshot(…)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from moto.ebs.models import ebs_backends
from moto.ec2.models import ec2_backends
from moto.s3.models import s3_backends

from nitro.local.aws.ebs import LocalEBSBackend
from nitro.local.aws.ec2 import LocalEC2Backend
from nitro.local.aws.s3 import LocalS3Backend
from nitro.local.aws.services import held_backends
from nitro.local.aws.site import Pace, PublicAddresses, Site

__all__ = ["Pace", "PublicAddresses", "Site", "install"]


@contextmanager
def install(site: Site) -> Iterator[Site]:
    """Make moto's services use `site` until the block ends.

    Works for `mock_aws` in this process and for moto's server alike. State that the services
    held before is dropped, and again at the end.
    """
    replaced = {
        ec2_backends: partial(LocalEC2Backend, site=site),
        ebs_backends: partial(LocalEBSBackend, site=site),
        s3_backends: type("S3Backend", (LocalS3Backend,), {"site": site}),
        **dict(held_backends(site)),
    }
    stock = {backends: backends.backend for backends in replaced}
    _put(replaced)
    try:
        yield site
    finally:
        _put(stock)


def _put(made_by: Mapping[Any, Any]) -> None:
    s3_backends.bucket_accounts.clear()
    for backends, backend in made_by.items():
        backends.clear()
        backends.backend = backend
