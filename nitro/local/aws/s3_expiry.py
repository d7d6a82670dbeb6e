"""Which objects a bucket's lifecycle has removed by now, of those that were kept on disk.

S3 looks at lifecycles once a day; the local Nitro when it starts. Only rules by age that name a
prefix or nothing are acted on, and only in buckets without versions.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

_DAY = timedelta(days=1)


def expired(bucket: Any, key: Any, now: datetime) -> bool:
    """Whether the lifecycle has removed a version of an object; `now` and its date lack a zone."""
    lifecycle = getattr(bucket, "local_lifecycle", None)
    if not lifecycle or bucket.versioning_status:
        return False
    return any(
        key.name.startswith(prefix) and (now - key.last_modified) / _DAY > days
        for prefix, days in _rules(lifecycle[1])
    )


def _rules(configuration: str) -> Iterator[tuple[str, int]]:
    """(prefix, days)"""
    for rule in ElementTree.fromstring(configuration):
        filters = [child.tag.rpartition("}")[2] for child in rule.findall("{*}Filter/*")]
        days = _text(rule, "{*}Expiration/{*}Days")
        enabled = _text(rule, "{*}Status") == "Enabled"
        if enabled and days.isdecimal() and set(filters) <= {"Prefix"}:
            prefix = _text(rule, "{*}Filter/{*}Prefix") or _text(rule, "{*}Prefix")
            yield prefix, int(days)


def _text(rule: ElementTree.Element, path: str) -> str:
    return (rule.findtext(path) or "").strip()
