"""Requests to S3 that have effect, or an answer, only on a condition.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html (x-amz-copy-source-if-…)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from nitro.local.aws import s3_buckets
from nitro.local.aws.s3_parts import Refusal

_SOURCE = "x-amz-copy-source-"


class ObjectConditions:
    """Part of the S3 responses; see `nitro.local.aws.s3`."""

    backend: Any
    body: bytes
    bucket_name: str
    headers: Any  # of werkzeug, or a dict
    querystring: Mapping[str, Any]
    parse_key_name: Callable[[], str]

    def check_conditions(self, method: str) -> None:
        """Raises Refusal for what the headers, or the bucket, do not allow of an object."""
        bucket, query = self.backend.get_bucket(self.bucket_name), self.querystring
        key = self.backend.get_object(self.bucket_name, self.parse_key_name())
        s3_buckets.check_lock(query, bucket, key, method)
        if method == "DELETE":
            check_delete(self.headers)
        about = {"acl", "tagging", "retention", "legal-hold", "partNumber"} & query.keys()
        if (method == "PUT" and not about) or (method == "POST" and "uploadId" in query):
            check_write(self.headers, key)
        if (method == "PUT" and about <= {"acl"}) or (method == "POST" and "uploads" in query):
            s3_buckets.check_acl(self.headers, bucket, has_body="acl" in query and bool(self.body))
        if method == "PUT" and (source := self.headers.get("x-amz-copy-source")):
            check_source(self.headers, self._source(source))

    def _source(self, named: str) -> Any | None:
        path, _, version = named.lstrip("/").partition("?versionId=")
        bucket_name, _, key_name = unquote(path).partition("/")
        if bucket_name not in self.backend.buckets:
            return None
        return self.backend.get_object(bucket_name, key_name, version or None)


def check_write(headers: Mapping[str, str], existing: Any | None) -> None:
    """For what puts an object in the place of `existing`. Raises Refusal where it must not."""
    wanted, unwanted = headers.get("If-Match"), headers.get("If-None-Match")
    if unwanted is not None and unwanted.strip() != "*":
        raise Refusal(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            501,
        )
    if unwanted is not None and existing is not None:
        raise _failed()
    if wanted is not None:
        if existing is None:
            raise Refusal("NoSuchKey", "The specified key does not exist.", 404)
        if not _names(wanted, existing):
            raise _failed()


def check_delete(headers: Mapping[str, str]) -> None:
    """Raises Refusal for conditions that only directory buckets know. moto compares the ETag."""
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        if headers.get(name) is not None:
            raise Refusal(
                "NotImplemented",
                "A header you provided implies functionality of directory buckets",
                501,
            )


def check_source(headers: Mapping[str, str], source: Any | None) -> None:
    """For a copy of the object `source`. Raises Refusal where it must not be made."""
    if source is None:  # which is refused as such
        return
    given = {
        name.lower().removeprefix(_SOURCE): value
        for name, value in headers.items()
        if name.lower().startswith(_SOURCE)
    }
    changed = source.last_modified.replace(microsecond=0, tzinfo=UTC)
    if (etags := given.get("if-match")) is not None:
        if not _names(etags, source):
            raise _failed()
    elif (since := _date(given.get("if-unmodified-since"))) and changed > since:
        raise _failed()
    if (etags := given.get("if-none-match")) is not None:
        if _names(etags, source):
            raise _failed()
    elif (since := _date(given.get("if-modified-since"))) and changed <= since:
        raise _failed()


def _names(etags: str, key: Any) -> bool:
    """Whether a list of ETags, with or without quotes, has that of the object."""
    listed = {each.strip().strip('"') for each in etags.split(",")}
    return "*" in listed or key.etag.strip('"') in listed


def _date(text: str | None) -> datetime | None:
    """None for what is no date, which S3 ignores."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except (OverflowError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _failed() -> Refusal:
    """Without the element that names the condition: clients go by the code."""
    message = "At least one of the pre-conditions you specified did not hold"
    return Refusal("PreconditionFailed", message, 412)
