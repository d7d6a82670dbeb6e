"""What moto's EC2 and EBS lack, so that what they hold is true: one module for each gap.

    site.py       what this account stands on: block store, hypervisor, pace, public addresses
    vmimport.py   the role that ImportSnapshot assumes
    imports.py    ImportSnapshot and its tasks
    snapshots.py  snapshots with real bytes, refused deletion while an image needs them
    images.py     RegisterImage that keeps what it is told
    instances.py  RunInstances that boots something; states that take time; console output
    states.py     what those states are, and what EC2 says about them
    launch.py     which images and types fit together; from a moto instance to a `Guest`
    copies.py     CopySnapshot and CopyImage between regions
    encryption.py which key a snapshot is encrypted with
    regions.py    all regions, each with a default network of its own
    ebs.py        EBS direct reads and writes of the same bytes
    attributes.py who may use a snapshot or an image
    archive.py    snapshots and images that outlive the process
    api/          what EC2 does with every request: names, filters, pages, tokens, envelope

botocore's model is the contract: parameters arrive parsed by it, results leave serialised by it.
Not here: CreateImage, snapshots of volumes. Those are refused, not faked.

    with install(Site(BlockStore(folder), NullHypervisor())), mock_aws():
        boto3.client("ec2").import_snapshot(…)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from moto.ebs.models import ebs_backends
from moto.ec2.models import ec2_backends

from nitro.local.aws.ebs import LocalEBSBackend
from nitro.local.aws.ec2 import LocalEC2Backend
from nitro.local.aws.site import Pace, PublicAddresses, Site

__all__ = ["Pace", "PublicAddresses", "Site", "install"]


@contextmanager
def install(site: Site) -> Iterator[Site]:
    """Make moto's EC2 and EBS use `site` until the block ends.

    Works for `mock_aws` in this process and for moto's server alike. State that the services
    held before is dropped, and again at the end.
    """
    stock = ec2_backends.backend, ebs_backends.backend
    _forget()
    ec2_backends.backend = partial(LocalEC2Backend, site=site)
    ebs_backends.backend = partial(LocalEBSBackend, site=site)
    try:
        yield site
    finally:
        _forget()
        ec2_backends.backend, ebs_backends.backend = stock


def _forget() -> None:
    ec2_backends.clear()
    ebs_backends.clear()
