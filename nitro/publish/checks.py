"""What AWS would refuse after the upload, found before it: keys and blocked sharing."""

from __future__ import annotations

from nitro.cloud import Cloud, preflight
from nitro.cloud.errors import ApiError
from nitro.errors import RefusedError
from nitro.publish.settings import Settings

_UNBLOCKED = "unblocked"
_KEY_OF_AWS = "alias/aws/ebs"


def usable_key(cloud: Cloud, settings: Settings) -> str | None:
    """The ARN of the KMS key for snapshots in this region; None where none is asked for.

    Raises RefusedError for a key that EBS cannot use or that prevents the sharing asked for.
    """
    asked = settings.key_for(cloud.region)
    if asked is None:
        return None
    try:
        key = cloud.kms.describe_key(KeyId=asked)["KeyMetadata"]
    except ApiError as error:
        if not error.absent:
            raise
        raise RefusedError(
            f"there is no KMS key {asked} in {cloud.region}",
            hint="keys belong to one region: give each its own in kms_keys",
        ) from None
    # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
    if key.get("KeyState", "Enabled") != "Enabled" or key.get("KeySpec") != "SYMMETRIC_DEFAULT":
        raise RefusedError(
            f"EBS cannot use the KMS key {asked} in {cloud.region}: it is {key.get('KeyState')}, "
            f"{key.get('KeySpec')}",
            hint="use a symmetric key that is enabled",
        )
    if settings.share.anyone and key.get("KeyManager") == "AWS":
        raise _unshareable(cloud, asked)
    return key["Arn"]


def require_sharing(cloud: Cloud, settings: Settings, key: str | None) -> None:
    """Raises RefusedError when the region does not let the AMI be shared as asked."""
    share = settings.share
    if not share.anyone:
        return
    if key is None and preflight.is_encrypted_by_default(cloud):
        raise _unshareable(cloud, _KEY_OF_AWS)
    if not share.public:
        return
    if key:
        raise RefusedError(
            f"an AMI encrypted with {key} cannot be public", hint="leave out the key, or public"
        )
    images = cloud.ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"]
    snapshots = cloud.ec2.get_snapshot_block_public_access_state()["State"]
    for what, state, command in (
        ("AMIs", images, "disable-image-block-public-access"),
        ("snapshots", snapshots, "disable-snapshot-block-public-access"),
    ):
        if state != _UNBLOCKED:
            raise RefusedError(
                f"the account blocks public sharing of {what} in {cloud.region} ({state})",
                hint=f"`aws ec2 {command} --region {cloud.region}` ends that within 10 minutes",
            )


def _unshareable(cloud: Cloud, key: str) -> RefusedError:
    return RefusedError(
        f"what {key} encrypts in {cloud.region} cannot be shared: it is AWS's own key",
        hint="set kms_key to a key of the account's own that the others may use",
    )
