"""What EC2 allows of tags, the same for every operation that takes some.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value

RESERVED = "aws:"  # the start of keys that belong to the system
MOST, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256


def check(parameters: Mapping[str, Any]) -> None:
    """Raises EC2ClientError for tags of a request that EC2 refuses."""
    for tags in _lists(parameters):
        keys = [tag.get("Key") or "" for tag in tags]
        if len(keys) > MOST:
            raise EC2ClientError(
                "TagLimitExceeded", f"More than {MOST} tags specified for a resource."
            )
        for key in keys:
            if key.lower().startswith(RESERVED):
                raise invalid_value("Tag keys starting with 'aws:' are reserved for internal use")
            if not 1 <= len(key) <= LONGEST_KEY:
                raise invalid_value(f"Tag key must have 1 to {LONGEST_KEY} characters")
            if keys.count(key) > 1:
                raise invalid_value(f"Duplicate tag key '{key}' specified.")
        for tag in tags:
            if len(tag.get("Value") or "") > LONGEST_VALUE:
                raise invalid_value(
                    f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
                )


def _lists(parameters: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    yield parameters.get("Tags", [])
    for specification in parameters.get("TagSpecifications", []):
        yield specification.get("Tags", [])
