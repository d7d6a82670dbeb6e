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
        found = {_path(rule, each): (each.text or "").strip() for each in rule.iter()}
        days = found.get("Expiration/Days", "")
        others = {name for name in found if name.startswith("Filter/")} - {"Filter/Prefix"}
        if found.get("Status") == "Enabled" and days.isdecimal() and not others:
            yield found.get("Filter/Prefix") or found.get("Prefix") or "", int(days)


def _path(rule: ElementTree.Element, element: ElementTree.Element) -> str:
    """`Filter/Prefix` of an element at most two below the rule, otherwise its bare name."""
    parents = {child: parent for parent in rule.iter() for child in parent}
    names = []
    while element is not rule:
        names.append(element.tag.rpartition("}")[2])
        element = parents[element]
    return "/".join(reversed(names))
