"""The policy in docs/aws.md allows what the code calls, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

import requests
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import (
    Call,
    Cloud,
    DiskImage,
    Keep,
    Undo,
    console_output,
    destroy,
    doctor,
    importer,
    inventory,
    results,
    role,
    storage,
    tags,
)
from nitro.cloud.upload import upload_disk
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter
from tests.cloud.conftest import connect, make_bucket, make_disk, recorded
from tests.cloud.joint import deploy

DOCS = Path(__file__).parents[2] / "docs/aws.md"

# Where the action is not called like the operation.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
S3 = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
FREE = {"sts:GetCallerIdentity"}  # needs no permission


def actions(call: Call) -> set[str]:
    """What a call needs to be allowed."""
    service = {"service-quotas": "servicequotas"}.get(call.service, call.service)
    needed = {f"{service}:{S3.get(call.operation, call.operation)}"}
    if "TagSpecifications" in call.params:
        needed.add("ec2:CreateTags")
    if call.operation == "CreateMultipartUpload" and "Tagging" in call.params:
        needed.add("s3:PutObjectTagging")
    if "Tags" in call.params.get("CreateBucketConfiguration", {}):
        needed.add("s3:TagResource")
    if call.operation == "CreateRole" and "Tags" in call.params:
        needed.add("iam:TagRole")
    return needed - FREE


def needed(calls: list[Call]) -> set[str]:
    return {action for call in calls for action in actions(call)}


def documented(name: str) -> set[str]:
    """All actions of the policy of this name."""
    found = re.search(rf"<!-- policy: {name} -->\n```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    statements = json.loads(found[1])["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    listed = [action for statement in statements for action in statement["Action"]]
    assert len(listed) == len(set(listed))
    return set(listed)


def test_the_role_can_be_made_with_its_policy(bare_cloud: Cloud) -> None:
    calls = recorded(bare_cloud)
    bucket = storage.own_bucket_name(bare_cloud)
    role.create(bare_cloud, bucket)
    role.create(bare_cloud, bucket)
    assert needed(calls) == documented("role")


def quota(model, **_):
    """moto knows no quotas of EC2."""
    if model.name != "GetServiceQuota":
        return None
    body = {"Quota": {"Value": 32.0}, "ResponseMetadata": {"HTTPStatusCode": 200}}
    return AWSResponse("", 200, HTTPHeaders(), None), body


def test_everything_else_can_be_done_with_the_main_policy(
    cloud: Cloud, disk: DiskImage, site: Site, tmp_path: Path
) -> None:
    attach_policy(cloud)
    user = connect()
    calls = recorded(user)
    user.session.events.register("before-call", quota)
    doctor.examine(user)
    cut_off_upload(user, disk)
    server = deploy(user, disk, keep=Keep.INSTANCE).instance
    console_output(user, server.id)
    fetch_result(user)
    interrupted_import(user, make_disk(tmp_path / "other.raw", seed=2), site)
    loose_ends(cloud)
    given_bucket(user, cloud, disk)
    destroy(user, inventory(user))
    assert inventory(user) == []
    assert needed(calls) == documented("deploy")


def attach_policy(cloud: Cloud) -> None:
    document = json.dumps(role.permissions(cloud, "another"))
    arn = cloud.iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    cloud.iam.attach_role_policy(RoleName=role.NAME, PolicyArn=arn)


def cut_off_upload(user: Cloud, disk: DiskImage) -> None:
    """Leaves parts for the deployment to go on from."""
    with Undo() as undo:
        bucket = storage.ensure_bucket(user, undo)
    user.s3.create_multipart_upload(
        **bucket.address,
        Key=storage.image_key(disk.digest),
        Tagging=tags.as_query(tags.image_tags("bench", disk.digest)),
    )


def fetch_result(user: Cloud) -> None:
    with Undo() as undo:
        upload = results.prepare(user, undo, deployment="d-1", name="r")
        requests.put(upload.url, data=b"x", timeout=5)
        assert results.fetch(user, upload) == b"x"


def interrupted_import(user: Cloud, disk: DiskImage, site: Site) -> None:
    """Leaves a running task, an object and an incomplete upload."""
    site.pace = Pace(import_snapshot=60.0)
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(user, undo)
        upload_disk(user, bucket, disk, stage)
        importer.start(user, bucket, disk, undo)
    user.s3.create_multipart_upload(**bucket.address, Key="images/half.raw")


def loose_ends(cloud: Cloud) -> None:
    """What an instance may leave when its ending goes wrong."""
    tag_map = tags.deployment_tags("x", "d-1", "server", None, {})
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]
    cloud.ec2.create_network_interface(
        SubnetId=subnet["SubnetId"],
        TagSpecifications=tags.as_specification(["network-interface"], tag_map),
    )
    cloud.ec2.create_volume(
        AvailabilityZone=subnet["AvailabilityZone"],
        Size=1,
        TagSpecifications=tags.as_specification(["volume"], tag_map),
    )


def given_bucket(user: Cloud, cloud: Cloud, disk: DiskImage) -> None:
    """An object of ours in a bucket of the user's own."""
    make_bucket(cloud, "shared")
    with Reporter().stage("") as stage:
        upload_disk(user, storage.Bucket("shared", user.account), disk, stage)
    (found,) = [r for r in inventory(user, "shared") if r.kind == "object"]
    destroy(user, [found])
