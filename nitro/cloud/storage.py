"""The bucket, what lies in it, and how both go away.

A disk lies at `images/<sha256>-<run>.raw` only until it is imported: each run uploads its own
object, so that none completes, replaces or removes what another one imports. Results of
measurements lie at `results/<deployment>/…`. The bucket's own rules remove what a killed
process leaves there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, cast

from nitro.cloud import tags, wait
from nitro.cloud.codes import DENIED
from nitro.cloud.errors import ApiError, ignoring
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.errors import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_s3.type_defs import CreateBucketConfigurationTypeDef, LifecycleRuleTypeDef

IMAGES, RESULTS = "images/", "results/"
CREATION_DEADLINE = 600.0  # seconds; a bucket's name is free some minutes after its deletion
_TAGS_UNKNOWN = frozenset({"UnsupportedArgument", "MalformedXML", "NotImplemented"})
IMAGE_DAYS, RESULT_DAYS, UPLOAD_DAYS = 3, 1, 1  # after which the bucket cleans up by itself


class Address(TypedDict):
    """What names a bucket in a call."""

    Bucket: str
    ExpectedBucketOwner: str


@dataclass(frozen=True)
class Bucket:
    """A bucket of this account. `new`: made in this run, so that nothing is in it yet."""

    name: str
    account: str
    new: bool = False

    @property
    def address(self) -> Address:
        """Parameters of every call: whoever took the name before us gets nothing."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.account}


def own_bucket_name(cloud: Cloud) -> str:
    return f"nitro-{cloud.account}-{cloud.region}"


def image_key(digest: str, run: str) -> str:
    return f"{IMAGES}{digest.partition(':')[2]}-{run}.raw"


def find_bucket(cloud: Cloud, name: str | None = None) -> Bucket | None:
    """The given bucket or our own; None when it does not exist.

    Raises RefusedError when it belongs to someone else or may not be used.
    """
    bucket = Bucket(name or own_bucket_name(cloud), cloud.account)
    try:
        cloud.s3.head_bucket(**bucket.address)
    except ApiError as error:
        if error.absent:
            return None
        if error.code not in ("400", "403"):
            raise
        _ask_why(cloud, bucket)
    return bucket


def _ask_why(cloud: Cloud, bucket: Bucket) -> None:
    """Make a call whose refusal says why: the answer to HEAD has no body, and so no code.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    try:
        cloud.s3.list_objects_v2(**bucket.address, MaxKeys=1)
    except ApiError as error:
        if error.code in DENIED:
            raise RefusedError(
                f"the bucket {bucket.name} may not be used",
                hint="it is another account's, or s3:ListBucket is denied; see --bucket",
            ) from error
        raise


def ensure_bucket(cloud: Cloud, undo: Undo, name: str | None = None) -> Bucket:
    """The given bucket, which must exist, or our own, made when it does not.

    A new one is private and encrypted, and cleans up after itself. It is taken back with the
    work that made it if that fails; a bucket that is in use by then stays.
    """
    if bucket := find_bucket(cloud, name):
        return bucket
    if name:
        raise no_bucket(name)
    bucket = Bucket(own_bucket_name(cloud), cloud.account, new=True)
    tag_map = {"Name": bucket.name, tags.OWNER: tags.OWNER_VALUE}
    location: CreateBucketConfigurationTypeDef = {"Tags": tags.as_tag_set(tag_map)}
    if cloud.region != "us-east-1":  # the one region that may not be named
        location["LocationConstraint"] = cast("BucketLocationConstraintType", cloud.region)
    with undo.making(
        f"bucket {bucket.name}",
        Lifetime.IMAGE,
        find=lambda: [bucket.name] if find_bucket(cloud) else [],
        remove=lambda _: remove_bucket(cloud, bucket),
    ) as entry:
        try:
            wait.until(
                cloud,
                lambda: _create(cloud, bucket.name, location),
                what=f"bucket {bucket.name}",
                deadline=CREATION_DEADLINE,
            )
        except ApiError as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise
            entry.done = True  # another run was quicker: it is for that one to take back
            return Bucket(bucket.name, bucket.account)
        entry.id = bucket.name
    cloud.s3.put_bucket_tagging(**bucket.address, Tagging={"TagSet": tags.as_tag_set(tag_map)})
    cloud.s3.put_public_access_block(
        **bucket.address,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    cloud.s3.put_bucket_encryption(
        **bucket.address,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    cloud.s3.put_bucket_lifecycle_configuration(
        **bucket.address,
        LifecycleConfiguration={
            "Rules": [_expire(IMAGES, IMAGE_DAYS), _expire(RESULTS, RESULT_DAYS)]
        },
    )
    return bucket


def no_bucket(name: str) -> RefusedError:
    return RefusedError(f"there is no bucket {name}", hint="omit --bucket to use one of nitro's")


def _create(
    cloud: Cloud, name: str, configuration: CreateBucketConfigurationTypeDef
) -> bool | None:
    """Returns None while S3 still deletes a bucket of this name."""
    try:
        if configuration:
            cloud.s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
        else:  # an empty element is malformed
            cloud.s3.create_bucket(Bucket=name)
    except ApiError as error:
        if error.code == "OperationAborted":
            return None
        if error.code not in _TAGS_UNKNOWN or "Tags" not in configuration:
            raise
        # Some partitions do not know tags in this call; they are put by the next one.
        without = configuration.copy()
        del without["Tags"]
        return _create(cloud, name, without)
    return True


def _expire(prefix: str, days: int) -> LifecycleRuleTypeDef:
    return {
        "ID": f"nitro-{prefix.rstrip('/')}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
    }


def remove_bucket(cloud: Cloud, bucket: Bucket) -> None:
    """Remove an empty bucket; one that something lies in stays."""
    with ignoring("absent", "BucketNotEmpty"):
        cloud.s3.delete_bucket(**bucket.address)


def remove_image(cloud: Cloud, bucket: Bucket, key: str) -> None:
    """Remove a disk and what was begun to be uploaded as it."""
    if find_bucket(cloud, bucket.name) is None:
        return
    for upload in uploads(cloud, bucket, key):
        abort(cloud, bucket, key, upload)
    remove_object(cloud, bucket, key)


def remove_object(cloud: Cloud, bucket: Bucket, key: str) -> None:
    with ignoring("absent"):
        cloud.s3.delete_object(**bucket.address, Key=key)


def uploads(cloud: Cloud, bucket: Bucket, key: str) -> list[str]:
    """Ids of the incomplete uploads of `key`."""
    pages = cloud.s3.get_paginator("list_multipart_uploads").paginate(**bucket.address, Prefix=key)
    return [
        upload["UploadId"]
        for page in pages
        for upload in page.get("Uploads", [])
        if upload["Key"] == key
    ]


def abort(cloud: Cloud, bucket: Bucket, key: str, upload: str) -> None:
    with ignoring("absent"):
        cloud.s3.abort_multipart_upload(**bucket.address, Key=key, UploadId=upload)


def is_ours(cloud: Cloud, bucket: Bucket, key: str) -> bool:
    """Whether an object carries our tags."""
    answer = cloud.s3.get_object_tagging(**bucket.address, Key=key)
    return tags.ours(tags.from_list(answer["TagSet"]))
