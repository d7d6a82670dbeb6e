"""What an instance sends back: on its console, or as one object through a presigned URL.

The console needs neither a bucket nor a way out of the subnet, but holds 64 KiB. For more, the
guest puts an object. It has no credentials and gets none: whoever has the URL can write that one
object until it expires, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from nitro.cloud import instance, storage, wait
from nitro.cloud.errors import ApiError, ignoring
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.errors import NitroError
from nitro.progress import Stage

LARGEST = 16 * 1024 * 1024  # bytes of a result
_GRACE = 3  # looks after the instance has ended: console and object may come last


@dataclass(frozen=True)
class ResultUpload:
    """Where a result is to be put. `url` takes one PUT; it works inside the instance.

    `ca` is the certificate that the guest knows it by (DER in base64), None for AWS's own.
    """

    bucket: storage.Bucket
    key: str
    url: str
    ca: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the guest is told."""
        return {"NITRO_RESULT_URL": self.url, **({"NITRO_RESULT_CA": self.ca} if self.ca else {})}


def prepare(
    cloud: Cloud,
    undo: Undo,
    *,
    deployment: str,
    name: str,
    lifetime: timedelta = timedelta(hours=6),
    bucket: str | None = None,
) -> ResultUpload:
    """Choose the place for a result, make the bucket if need be, and sign the URL.

    The object is removed with the deployment. With temporary credentials the URL ends with
    them, whatever `lifetime` says.
    """
    holder = storage.ensure_bucket(cloud, undo, bucket)
    key = f"{storage.RESULTS}{deployment}/{name}"
    undo.push(
        f"s3://{holder.name}/{key}",
        Lifetime.SCRATCH,
        id=key,
        remove=lambda id_: storage.remove_object(cloud, holder, id_),
    )
    url = presign_put(cloud, holder, key, lifetime)
    return ResultUpload(holder, key, url, cloud.guest_ca)


def presign_put(cloud: Cloud, bucket: storage.Bucket, key: str, lifetime: timedelta) -> str:
    """A URL for one PUT of one object, for the S3 address that instances see."""
    return str(
        cloud.guest_s3.generate_presigned_url(
            "put_object",
            Params={"Bucket": bucket.name, "Key": key},
            ExpiresIn=int(lifetime.total_seconds()),
        )
    )


def fetch(cloud: Cloud, upload: ResultUpload) -> bytes | None:
    """The result, or None while there is none. Raises NitroError for more than LARGEST bytes."""
    try:
        answer = cloud.s3.get_object(
            **upload.bucket.address, Key=upload.key, Range=f"bytes=0-{LARGEST}"
        )
    except ApiError as error:
        if error.absent:
            return None
        if error.code == "InvalidRange":  # an empty object
            return b""
        raise
    content = bytes(answer["Body"].read())
    if len(content) > LARGEST:
        raise NitroError(
            f"s3://{upload.bucket.name}/{upload.key} has more than {LARGEST} bytes",
            hint="no measurement is that large: something else in the instance wrote it",
        )
    return content


def wait_result(
    cloud: Cloud,
    instance_id: str,
    read_console: Callable[[str], bytes | None],
    upload: ResultUpload | None = None,
    *,
    deadline: float,
    stage: Stage | None = None,
) -> bytes:
    """Wait for the result that `instance_id` is to send; `deadline` in seconds.

    `read_console` finds the result in the console's text, and may raise to give up at once.
    Raises NeverReady, with the end of the console, when the instance ends without it, or in
    time sends none.
    """
    ended = 0

    def look() -> bytes | None:
        nonlocal ended
        state = instance.get(cloud, instance_id).state
        found = read_console(_console(cloud, instance_id))
        if found is None and upload:
            found = fetch(cloud, upload)
        ended += found is None and state not in {"pending", "running"}
        if ended > _GRACE:
            raise instance.NeverReady(
                f"{instance_id} is {state} and has sent no result",
                instance.console_tail(cloud, instance_id),
            )
        return found

    try:
        return wait.until(
            cloud,
            look,
            what=f"the result of {instance_id}",
            deadline=deadline,
            stage=stage,
            new=True,
            longest_pause=3.0,
        )
    except wait.DeadlinePassed as error:
        raise instance.NeverReady(error.what, instance.console_tail(cloud, instance_id)) from None


def _console(cloud: Cloud, instance_id: str) -> str:
    """The console; "" where there is none because the instance is gone or about to come."""
    with ignoring("absent", "IncorrectInstanceState"):
        return instance.console_output(cloud, instance_id)
    return ""
