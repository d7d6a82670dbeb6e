"""The host names under which AWS's regions answer S3, and where each sends a request.

https://docs.aws.amazon.com/general/latest/gr/s3.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from nitro.local.aws import regions

HOME = "us-east-1"  # which the global name leads to where DNS does not know better
GLOBAL = "s3.amazonaws.com"
_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
#: regions of before 20 March 2019: for those that came later, the global name does not work at all
_WITH_GLOBAL_NAME = {
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1"),
    *("ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2"),
    *("eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
}
_NEW = timedelta(hours=24)  # until DNS knows a bucket's region everywhere


@dataclass(frozen=True)
class Place:
    """A name taken apart: `bucket` is "" where the path has it, `region` None in the global one."""

    endpoint: str
    region: str | None
    bucket: str


@dataclass(frozen=True)
class Elsewhere:
    """The answer to a request that belongs to another region."""

    status: int
    code: str
    message: str
    bucket: str
    region: str
    endpoint: str
    location: str | None = None

    def amend(self, body: str) -> str:
        """An error's XML, with what S3 adds to it."""
        told = f"<Endpoint>{escape(self.endpoint)}</Endpoint><Bucket>{escape(self.bucket)}</Bucket>"
        return body.replace("<RequestId>", f"{told}<RequestId>", 1)


@functools.cache
def endpoints() -> dict[str, str | None]:
    """Each name, without a bucket → its region."""
    found: dict[str, str | None] = {GLOBAL: None}
    for partition, suffix in _SUFFIXES.items():
        for region in regions.names(partition):
            found[f"s3.{region}.{suffix}"] = region
            found[f"s3.dualstack.{region}.{suffix}"] = region
    return found


def place(host: str) -> Place | None:
    """What a host name says; None for one that is not S3's."""
    name = host.partition(":")[0].lower().rstrip(".")
    for endpoint, region in endpoints().items():
        if name == endpoint:
            return Place(endpoint, region, "")
        if name.endswith(f".{endpoint}"):
            return Place(endpoint, region, name.removesuffix(f".{endpoint}"))
    return None


def certified(region: str) -> list[str]:
    """The names in the certificate of a region."""
    own = [name for name, of in endpoints().items() if (of or HOME) == region]
    return [form for name in own for form in (name, f"*.{name}")]


def elsewhere(
    host: str,
    target: str,
    home_of: Callable[[str], tuple[str, datetime] | None],
    now: datetime,
) -> Elsewhere | None:
    """Where S3 sends a request for `target` (path and query) that came for `host`.

    `home_of` knows a bucket's region and when it was made. None for a request that is right here.
    """
    named = place(host)
    if named is None:
        return None
    bucket = named.bucket or target.lstrip("/").partition("?")[0].partition("/")[0]
    home = home_of(bucket)
    if home is None or home[0] == (named.region or HOME):
        return None
    region, made = home
    endpoint = next(name for name, of in endpoints().items() if of == region)
    host = f"{named.bucket}.{endpoint}" if named.bucket else endpoint
    if named.region is not None:
        message = (
            "The bucket you are attempting to access must be addressed using the specified "
            "endpoint. Please send all future requests to this endpoint."
        )
        return Elsewhere(301, "PermanentRedirect", message, bucket, region, host)
    if region not in _WITH_GLOBAL_NAME:
        message = (
            f"The {region} location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
        return Elsewhere(400, "IllegalLocationConstraintException", message, bucket, region, host)
    if now - made < _NEW:
        message = (
            "Please re-send this request to the specified temporary endpoint. Continue to use "
            "the original request endpoint for future requests."
        )
        location = f"https://{host}{target}"
        return Elsewhere(307, "TemporaryRedirect", message, bucket, region, host, location)
    return None
